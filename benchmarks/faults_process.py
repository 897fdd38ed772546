"""A process of a search under faults, as the one sees it who starts and kills it."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sr.command import DONE
from sr.errors import InputError
from sr.terminal import say

_SHOWN_CHARACTERS = 6000


@dataclass
class Worker:
    """A process of the search, started again where it ends before its time."""

    name: str
    folder: Path
    arguments: list[str]
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0
    redone: float = 0.0
    noted: int = 0
    said: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)

    @property
    def output(self) -> Path:
        """What it says."""
        return Path(f"{self.folder}.out")

    def start(self) -> None:
        """Start it in a session of its own."""
        self.starts += 1
        command = [sys.executable, str(Path(__file__).with_name("faults_worker.py")), str(self.folder), *self.arguments]
        root = Path(__file__).resolve().parents[1]
        environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603 - itself
                command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """Kill it where it is, and all that it started."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def ended(self) -> int | None:
        """Return its exit code, None while it runs."""
        assert self.process is not None
        return self.process.poll()

    def note_end(self) -> None:
        """Take in what it said last, and what it did not finish."""
        self.said.append(self.last_words())
        text = self.output.read_text("utf-8", errors="replace").strip()
        if "Traceback" in text:
            self.tracebacks.append(text[-_SHOWN_CHARACTERS:])
        lines = self.log()
        # What it began before the last start is noted already.
        if len(lines) > self.noted and "begun" in lines[-1]:
            self.redone += time.monotonic() - lines[-1]["at"]
        self.noted = len(lines)

    def last_words(self) -> str:
        """Return the last line of what it says."""
        return (self.output.read_text("utf-8", errors="replace").strip().splitlines() or [""])[-1]

    def log(self) -> list[dict[str, Any]]:
        """Return the whole lines of what it began and told."""
        path = Path(f"{self.folder}.log")
        if not path.exists():
            return []
        whole = path.read_text("utf-8").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def goes_on(self, most_starts: int) -> bool:
        """Return whether it is not done yet; where it ended before its time it is started again.

        Raises:
            InputError: Where it was started so often already.
        """
        code = self.ended()
        if code is None:
            return True
        self.note_end()
        if code == DONE:
            return False
        if code != -signal.SIGKILL:
            say(f"{self.name} ended by itself with {code}: {self.said[-1]}")
        if self.starts > most_starts:
            raise InputError(f"{self.name} ends again and again: {self.said[-1]}")
        self.start()
        return True
