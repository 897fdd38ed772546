"""What long work reports while it goes on: messages, steps with the time left, how it stands; commands show them."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Message:
    """A line for people; aside: no result, such as a warning or what was skipped; passing: a sign of life, no news."""

    text: str
    aside: bool = False
    passing: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Step:
    """How far some work has come.

    Attributes:
        label: What the work is.
        done: How much of `total` is done, in `unit`.
        total: How much there is.
        unit: What is counted; "B" for bytes.
        seconds_left: At the speed so far; infinite before there is one.
        note: A few words on the last step, such as its loss.
        ended: Whether the work is over, be it by an error.
    """

    label: str
    done: int
    total: int
    unit: str
    seconds_left: float
    note: str = ""
    ended: bool = False

    def __str__(self) -> str:
        left = f", {duration(self.seconds_left)} left" if math.isfinite(self.seconds_left) else ""
        return f"{self.label}: {self.done}/{self.total} {self.unit}{left}{', ' + self.note if self.note else ''}"


@dataclass(frozen=True)
class Phase:
    """What is being done from now on, where nothing counts it: a sign of life is shown while it lasts.

    Attributes:
        label: What it is.
        seconds: How long it is expected to take; infinite where nobody knows.
    """

    label: str
    seconds: float = math.inf

    def after(self, elapsed: float) -> str:
        """Say how it stands after so many seconds."""
        left = self.seconds - elapsed
        expected = f", about {duration(left)} left" if math.isfinite(left) and left >= 1 else ""
        return f"{self.label}: {duration(elapsed)} so far{expected}"

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class Standing:
    """How long work stands as a whole, in place of the standing before; shown where the output can be redrawn.

    Attributes:
        facts: Each with its name; none once the work is over.
        ends_at: When the work ends by `time.monotonic()`; infinite where nobody knows.
    """

    facts: tuple[tuple[str, str], ...] = ()
    ends_at: float = math.inf

    def __str__(self) -> str:
        return "; ".join(f"{name}: {fact}" for name, fact in self.facts)


Event = Message | Step | Phase | Standing
Report = Callable[[Event], None]


def no_report(_event: Event) -> None:
    """Report to nobody."""


class Progress:
    """Counts up to `total` and reports every step; a context that reports when it is over.

    Args:
        label: What the work is.
        total: How much there is, in `unit`.
        unit: What is counted; "B" for bytes.
        start: What was done before.
        report: Is called with a `Step` at each step.
    """

    def __init__(
        self, label: str, total: int, unit: str = "step", *, start: int = 0, report: Report = no_report
    ) -> None:
        self.label, self.total, self.unit, self.done, self.start = label, total, unit, start, start
        self._report, self._began = report, time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._report(self._state(ended=True))

    def step(self, count: int = 1, note: str = "") -> None:
        """Advance by `count` and report it with a `note`."""
        self.done += count
        self._report(self._state(note))

    def seconds_left(self, elapsed: float) -> float:
        """Return how long the rest takes where what was done so far took `elapsed` seconds; infinite before a step."""
        done_now = self.done - self.start
        per_unit = elapsed / done_now if done_now else math.inf
        return per_unit * (self.total - self.done) if self.total > self.done else 0.0

    def _state(self, note: str = "", *, ended: bool = False) -> Step:
        left = self.seconds_left(time.monotonic() - self._began)
        return Step(self.label, self.done, self.total, self.unit, left, note, ended)


def duration(seconds: float) -> str:
    """Return 42 s, 3 m 05 s or 2 h 10 m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
