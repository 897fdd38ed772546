"""Who may use a device now: many may train, one alone may measure.

A runtime taken beside another busy process is wrong by a factor, not by a share. Each device has a lock file that every
process of this machine shares: training holds it together with others, measuring holds it alone. A GPU is held against
the processes of other users too, and is the current one meanwhile.
"""

import contextlib
import getpass
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import portalocker
import torch

from sr.measure.gpu import current, uuid_of
from sr.waiting import waiting_for

# Of one processor; and what the system's own counting in ticks may be off by, in seconds.
_NOTICEABLE, _TICKS = 0.15, 0.05
# Where the lock files of devices that users share lie; not TMPDIR, which may be a user's own.
_COMMON = Path("/tmp")  # noqa: S108 - on purpose the one folder that all users of a machine can write into


@contextlib.contextmanager
def training_on(device: torch.device) -> Iterator[None]:
    """Hold `device` together with whoever trains on it; waits while somebody measures or is about to."""
    # Passing the gate means that a measurer who waits stops new trainers and so is never starved by them.
    with _locked(device, "gate", portalocker.LockFlags.EXCLUSIVE):
        hold = _locked(device, "use", portalocker.LockFlags.SHARED)
        hold.__enter__()
    try:
        with current(device):
            yield
    finally:
        hold.__exit__(None, None, None)


@contextlib.contextmanager
def measuring_on(device: torch.device) -> Iterator[None]:
    """Hold `device` alone; waits until those who train on it let go."""
    with (
        _locked(device, "gate", portalocker.LockFlags.EXCLUSIVE),
        _locked(device, "use", portalocker.LockFlags.EXCLUSIVE),
        current(device),
    ):
        yield


@contextlib.contextmanager
def _locked(device: torch.device, name: str, flags: portalocker.LockFlags) -> Iterator[None]:
    """Hold one lock file of `device`, waiting for it."""
    with lock_file(device, name) as handle:
        try:
            portalocker.lock(handle, flags | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.AlreadyLocked:
            with waiting_for(f"{device_key(device)}, which another process measures or trains on ({handle.name})"):
                portalocker.lock(handle, flags)
        try:
            yield
        finally:
            portalocker.unlock(handle)


def lock_file(device: torch.device, name: str) -> IO[str]:
    """Open the lock file `name` of `device`, making it where needed."""
    if device.type == "cuda":
        return _common_file(f"{device_key(device)}.{name}")
    # The number where there is one: in a container it may have no name.
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    folder = Path(tempfile.gettempdir()) / f"paretosr-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return (folder / f"{device_key(device)}.{name}").open("a")


def _common_file(name: str) -> IO[str]:
    """Open a lock file that all users of this machine share, making it where needed.

    A server's users have temporary folders of their own, but one GPU.
    """
    folder = (_COMMON if _COMMON.is_dir() else Path(tempfile.gettempdir())) / "paretosr-devices"
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        # As of /tmp: anybody may add a file, and remove none of another's.
        folder.chmod(0o1777)
    path = folder / name
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
        path.chmod(0o666)
    # Never made by this: in such a folder Linux lets nobody open a file of another's in order to make it.
    return os.fdopen(os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)), "r+")


def device_key(device: torch.device) -> str:
    """Return what names the physical device on this machine, whatever index it has in this process."""
    if device.type == "cuda":
        return uuid_of(device)
    return device.type


def busy_seconds() -> float | None:
    """Return the seconds that all processors together have worked since the start; None where Linux is not there."""
    stat = Path("/proc/stat")
    if not stat.is_file():
        return None
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, stat.read_text("utf-8").split("\n")[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


class OthersAtWork:
    """How much of the processors other processes use, from when it is made on.

    Args:
        busy: The seconds that all processors together have worked so far, None where nobody knows.
        own: The seconds that this process has.
        clock: The time in seconds.
    """

    def __init__(
        self,
        busy: Callable[[], float | None] = busy_seconds,
        own: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._busy, self._own, self._clock = busy, own, clock
        self._began = busy(), own(), clock()

    def disturb(self) -> bool:
        """Return whether they took a noticeable share of one processor since then; False where nobody knows."""
        seconds, passed = self._taken()
        return seconds > _NOTICEABLE * passed + _TICKS

    def share(self) -> float:
        """Return how many processors they kept busy since then, 0 where nobody knows."""
        seconds, passed = self._taken()
        return max(0.0, seconds - _TICKS) / passed if passed > 0 else 0.0

    def _taken(self) -> tuple[float, float]:
        """Return the seconds that they worked since then, of all processors, and those that passed."""
        before, own, began = self._began
        now = self._busy()
        if before is None or now is None:
            return 0.0, 0.0
        return (now - before) - (self._own() - own), self._clock() - began


def wait_until_idle(
    longest_seconds: float, window_seconds: float = 0.25, *, busy: Callable[[], float | None] = busy_seconds
) -> bool:
    """Wait while other processes use more than a tenth of the processor.

    Args:
        longest_seconds: After which it gives up.
        window_seconds: Over which the use is taken, once at least.
        busy: The seconds that all processors together have worked so far, None where nobody knows.

    Returns:
        Whether they stopped in time; True also where nobody knows how busy the machine is.
    """
    deadline = time.monotonic() + longest_seconds
    while True:
        before = busy()
        time.sleep(window_seconds)
        after = busy()
        if before is None or after is None:
            return True
        if after - before <= 0.1 * window_seconds * (os.cpu_count() or 1):
            return True
        if time.monotonic() >= deadline:
            return False
