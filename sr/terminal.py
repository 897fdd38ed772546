"""Events as people see them: a block on a terminal, lines where the output is none, little where that is asked."""

import os
import sys
import time
from typing import TYPE_CHECKING

from sr.progress import Event, Message, Phase, Standing, Step

if TYPE_CHECKING:
    from sr.live_block import LiveBlock


class _Asked:
    """What the user asked of this process's output; quiet: warnings, results and errors alone."""

    quiet = False


class _Screen:
    """The one block of this process, made where it is needed first."""

    block: "LiveBlock | None" = None


def be_quiet(*, quiet: bool) -> None:
    """Have every `Terminal` of this process show warnings alone, or all events again."""
    _Asked.quiet = quiet


def is_redrawn() -> bool:
    """Return whether standard error is a screen on which what was written can be written over."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


class Terminal:
    """Shows events: messages as lines, all else in one block on standard error that is redrawn; see `be_quiet`.

    Args:
        plain_line_seconds: Where nothing can be redrawn, a line stands in for the bar every so many seconds, and none
            for what ends sooner.
    """

    def __init__(self, plain_line_seconds: float = 10.0) -> None:
        self._plain_line_seconds = plain_line_seconds
        self._label, self._last_line = "", 0.0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if _Asked.quiet and not (isinstance(event, Message) and event.aside and not event.passing):
            return
        match event:
            case Message():
                say(event.text, to_stderr=event.aside)
            case _ if is_redrawn():
                _show(_block(), event)
            case Step():
                self._plain_line(event)
            case Phase() | Standing():
                pass  # A `Heartbeat` names a phase where it lasts, and lines say how the work stands.

    def _plain_line(self, step: Step) -> None:
        if step.label != self._label:
            self._label, self._last_line = step.label, time.monotonic()
        if step.ended:
            self._label = ""
        elif time.monotonic() - self._last_line >= self._plain_line_seconds:
            self._last_line = time.monotonic()
            say(str(step), to_stderr=True)


def _block() -> "LiveBlock":
    """Return the block of this process."""
    if _Screen.block is None:
        # Not at the top: what prints a line and ends needs nothing of it.
        from sr.live_block import LiveBlock

        _Screen.block = LiveBlock()
    return _Screen.block


def _show(block: "LiveBlock", event: Step | Phase | Standing) -> None:
    if isinstance(event, Standing):
        block.stand(event)
    else:
        block.do(None if isinstance(event, Step) and event.ended else event)


def say(text: str, *, to_stderr: bool = False) -> None:
    """Print a line at once, above the block where there is one, also where the output is a file."""
    stream = sys.stderr if to_stderr else sys.stdout
    if _Screen.block is None or not stream.isatty() or not _Screen.block.say(text):
        print(text, file=stream, flush=True)
