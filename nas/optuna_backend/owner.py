"""Which process works on a trial, and whether it still lives.

It beats: every so often it counts a number in the study up. Whose number stands still is lost, wherever it ran, and
whatever its machine is called by now; no clock is compared with another one's. Of a process of this very machine the
system knows at once that it ended.
"""

import functools
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

BEAT_SECONDS = 15.0
# Eight beats. A process that is stopped for longer loses its trials to others.
LOST_SECONDS = 120.0
# Silence that nobody could hear, as the database was away or the machine asleep, is none of the other's.
_LONGEST_LOOK_SECONDS = 2 * BEAT_SECONDS


def new_owner() -> str:
    """Return what tells a process that works on a study apart, as JSON: its id, and where the system knows of it."""
    pid = os.getpid()
    return json.dumps(
        {"id": uuid.uuid4().hex, "machine": _machine(), "pid": pid, "started": _started(pid), "host": platform.node()}
    )


def id_of(owner: str | None) -> str:
    """Return the id of an owner; empty for one of an earlier version, which does not beat."""
    return "" if owner is None else str(json.loads(owner).get("id", ""))


def describe(owner: str) -> str:
    """Return which process an owner is, for people."""
    who = json.loads(owner)
    return f"process {who['pid']} on {who.get('host') or 'another machine'}"


def has_ended(owner: str | None) -> bool:
    """Return whether an owner is known to have ended; False where that is for its heart to tell.

    A process number means something on its own machine since that was started, and in its own container, alone; and
    with the moment when the process began: numbers are used again.
    """
    who = {} if owner is None else json.loads(owner)
    machine = who.get("machine")
    if not machine or machine != _machine() or not who.get("started"):
        return False
    started = _started(who["pid"])
    if started is not None:
        return bool(started != who["started"])
    try:
        # Another user's may be hidden and run.
        os.kill(who["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@functools.cache
def _machine() -> str:
    """Return what tells this start of this machine and this container's processes apart; empty where nobody knows."""
    boot, processes = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        return f"{boot.read_text('utf-8').strip()} {processes.readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """Return when a process began, in the system's ticks; empty where it has ended, None where none is seen."""
    try:
        # After the name, which is in brackets and may hold anything.
        state, *fields = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return "" if state in "ZX" else fields[18]


class Silence:
    """For how long hearts stand still, as far as this process looked.

    Args:
        clock: The time in seconds, of this process alone.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._looked_at = clock, clock()
        self._beats = dict[str, int | None]()
        self._seconds = dict[str, float]()
        self._lock = threading.Lock()

    def look(self, beats: Mapping[str, int | None]) -> None:
        """Take in how far each heart has counted; None for one that was never heard."""
        with self._lock:
            now = self._clock()
            passed, self._looked_at = min(now - self._looked_at, _LONGEST_LOOK_SECONDS), now
            for who, beat in beats.items():
                is_still = who in self._beats and self._beats[who] == beat
                self._seconds[who] = self._seconds[who] + passed if is_still else 0.0
            self._beats = {**self._beats, **beats}

    def is_lost(self, who: str) -> bool:
        """Return whether a heart has stood still for too long."""
        return self._seconds.get(who, 0.0) >= LOST_SECONDS
