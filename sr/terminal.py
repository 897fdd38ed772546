"""Events as people see them: a bar on a terminal, plain lines where the output is none, and a sign of life."""

import sys
import threading
import time
from typing import Never

from tqdm import tqdm

from sr.progress import Event, Message, Phase, Step


class Terminal:
    """Shows events: messages as lines, steps as one bar that redraws itself on standard error.

    Args:
        plain_line_seconds: Where standard error is no terminal, a line stands in for the bar every so many seconds,
            and none for what ends sooner.
        silent_seconds: After so long without a line the phase that lasts is named again, on standard error.
    """

    def __init__(self, plain_line_seconds: float = 10.0, silent_seconds: float = 9.0) -> None:
        self._bar: tqdm[Never] | None = None
        self._plain_line_seconds, self._silent_seconds = plain_line_seconds, silent_seconds
        self._label, self._last_line = "", 0.0
        self._phase: tuple[Phase, float] | None = None
        self._shown_at = time.monotonic()
        self._lock = threading.RLock()
        self._pulse: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        """Show one event."""
        with self._lock:
            if isinstance(event, Phase):
                self._begin(event)
            elif isinstance(event, Message):
                say(event.text, to_stderr=event.aside)
                self._shown_at = time.monotonic()
            else:
                self._show_step(event)

    def _begin(self, phase: Phase) -> None:
        """Take a phase for what is going on, until the next one."""
        self._phase = phase, time.monotonic()
        if self._pulse is None:
            # It dies with the process; nothing waits for it.
            self._pulse = threading.Thread(target=self._live, daemon=True)
            self._pulse.start()

    def _live(self) -> None:
        """Name the phase that lasts wherever nothing was shown for a while."""
        while True:
            time.sleep(min(1.0, self._silent_seconds / 2))
            with self._lock:
                now = time.monotonic()
                if self._phase is None or self._bar is not None or now - self._shown_at < self._silent_seconds:
                    continue
                phase, began = self._phase
                say(phase.after(now - began), to_stderr=True)
                self._shown_at = now

    def _show_step(self, step: Step) -> None:
        if step.label != self._label:
            self._close()
            self._label, self._last_line = step.label, time.monotonic()
            if sys.stderr.isatty() and not step.ended:
                self._bar = tqdm(
                    total=step.total, desc=step.label, unit=step.unit, unit_scale=step.unit == "B",
                    initial=step.done, leave=False, dynamic_ncols=True,
                )  # fmt: skip
        if step.ended:
            self._close()
        elif self._bar is not None:
            self._bar.set_postfix_str(step.note, refresh=False)
            self._bar.update(step.done - self._bar.n)
        elif not sys.stderr.isatty() and time.monotonic() - self._last_line >= self._plain_line_seconds:
            self._last_line = self._shown_at = time.monotonic()
            say(str(step), to_stderr=True)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar, self._label = None, ""


def say(text: str, *, to_stderr: bool = False) -> None:
    """Print a line at once, above a bar where there is one, also where the output is a file."""
    stream = sys.stderr if to_stderr else sys.stdout
    if sys.stderr.isatty():
        tqdm.write(text, file=stream)
    else:
        print(text, file=stream, flush=True)
