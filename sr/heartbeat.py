"""A line of life every few seconds, where nothing is redrawn: also of work that reports nothing meanwhile."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sr.progress import Event, Message, Phase, Report, Standing, Step, duration
from sr.waiting import waits


class Heartbeat:
    """Passes events on to what shows them, and in between says what is being done; a context while there is work.

    Messages are passed on as they come. Where what is shown is redrawn, all events are, and nothing is added. Where it
    is not, steps become lines now and then, and where nothing came for a while a thread says what goes on, so that no
    silence is longer than ten seconds.

    Args:
        report: What shows events.
        redrawn: Whether it shows what goes on in one place, drawn anew each time.
        seconds: How long a silence may be; it is looked at every quarter of that.
        clock: The time in seconds.
    """

    def __init__(
        self, report: Report, *, redrawn: bool, seconds: float = 8.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._report, self._redrawn, self._seconds, self._clock = report, redrawn, seconds, clock
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._beat_on, daemon=True)
        self._line_at = self._event_at = clock()
        self._step: Step | None = None
        self._phase: Phase | None = None
        self._said = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def __call__(self, event: Event) -> None:
        """Take an event."""
        with self._lock:
            self._event_at = self._clock()
            if isinstance(event, Message) or self._redrawn:
                self._show(event)
            match event:
                case Phase():
                    self._phase, self._step = event, None
                case Message():
                    self._said = event.text
                case Step():
                    self._take(event)
                case Standing():
                    pass  # The lines say it.

    def _take(self, step: Step) -> None:
        """Take a step: a line where it is time for one."""
        self._step, self._phase = None if step.ended else step, None
        if step.ended:
            self._said = step.label
        elif not self._redrawn and self._is_due():
            self._show(Message(str(step), aside=True, passing=True))

    def beat(self) -> None:
        """Say what goes on, where nothing was said for a while."""
        with self._lock:
            if not self._redrawn and self._is_due():
                self._show(Message(self._going_on(), aside=True, passing=True))

    def _going_on(self) -> str:
        """Return what is being done, for how long without a word of it, and what it waits for."""
        waited_for = waits()
        return self._being_done() + (f"; waiting for {waited_for}" if waited_for else "")

    def _being_done(self) -> str:
        """Return what is being done, and for how long without a word of it."""
        since = self._clock() - self._event_at
        if self._phase is not None:
            return self._phase.after(since)
        if self._step is None:
            after = f"{duration(since)} after: {self._said}" if self._said else f"for {duration(since)}"
            return f"still working, {after}"
        return str(self._step) if since < self._seconds else f"{self._step}, at it for {duration(since)}"

    def _is_due(self) -> bool:
        return self._clock() - self._line_at >= self._seconds

    def _show(self, event: Event) -> None:
        self._line_at = self._clock()
        self._report(event)

    def _beat_on(self) -> None:
        """Beat until the work is over."""
        while not self._over.wait(self._seconds / 4):
            self.beat()
