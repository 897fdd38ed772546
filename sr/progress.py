"""Progress with the time left: a bar on a terminal, plain lines where the output is none."""

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

PLAIN_LINE_SECONDS = 10.0


class Progress:
    """Counts up to `total`; `step` advances it and may carry a short note such as the loss.

    On a terminal it is one bar that redraws itself; elsewhere a line every PLAIN_LINE_SECONDS, and none for what ends
    sooner.
    """

    def __init__(self, label: str, total: int, unit: str = "step", *, start: int = 0, quiet: bool = False) -> None:
        self.label, self.total, self.unit, self.done, self.start = label, total, unit, start, start
        self.quiet = quiet
        self.began = self.last_line = time.monotonic()
        scaled = unit == "B"
        self.bar = (
            tqdm(total=total, desc=label, unit=unit, initial=start, unit_scale=scaled, leave=False, dynamic_ncols=True)
            if sys.stderr.isatty() and not quiet
            else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.close()

    def step(self, count: int = 1, note: str = "") -> None:
        """Advance by `count` and show `note` when the line is next drawn."""
        self.done += count
        if self.bar is not None:
            self.bar.update(count)
            if note:
                self.bar.set_postfix_str(note, refresh=False)
        elif not self.quiet and time.monotonic() - self.last_line >= PLAIN_LINE_SECONDS:
            self.last_line = time.monotonic()
            sys.stderr.write(self.line(note) + "\n")
            sys.stderr.flush()

    def line(self, note: str = "") -> str:
        """Return the plain line: label, share done, time left and the note."""
        elapsed = time.monotonic() - self.began
        left = elapsed * (self.total - self.done) / max(1, self.done - self.start)
        share = f"{self.done}/{self.total} {self.unit}"
        return f"{self.label}: {share}, {duration(left)} left{', ' + note if note else ''}"


def duration(seconds: float) -> str:
    """Return 42 s, 3 m 05 s or 2 h 10 m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
