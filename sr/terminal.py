"""Events as people see them: a bar on a terminal, plain lines where the output is none, little where that is asked."""

import sys
import time
from typing import Never

from tqdm import tqdm

from sr.progress import Event, Message, Phase, Step


class _Asked:
    """What the user asked of this process's output; quiet: warnings, results and errors alone."""

    quiet = False


def be_quiet(*, quiet: bool) -> None:
    """Have every `Terminal` of this process show warnings alone, or all events again."""
    _Asked.quiet = quiet


class Terminal:
    """Shows events: messages as lines, steps as one bar that redraws itself on standard error; see `be_quiet`.

    Args:
        plain_line_seconds: Where standard error is no terminal, a line stands in for the bar every so many seconds,
            and none for what ends sooner.
    """

    def __init__(self, plain_line_seconds: float = 10.0) -> None:
        self._bar: tqdm[Never] | None = None
        self._plain_line_seconds = plain_line_seconds
        self._label, self._last_line = "", 0.0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if _Asked.quiet and not (isinstance(event, Message) and event.aside and not event.passing):
            return
        if isinstance(event, Message):
            say(event.text, to_stderr=event.aside)
        elif not isinstance(event, Phase):
            # A phase is named by a `Heartbeat` where it lasts.
            self._show_step(event)

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
            self._last_line = time.monotonic()
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
