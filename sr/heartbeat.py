"""A line of life every few seconds, where steps are no bar that moves: also of work that reports nothing meanwhile."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sr.progress import Event, Message, Report, Step, duration


class Heartbeat:
    """Passes events on to what shows them, and in between says what is being done; a context while there is work.

    Messages are passed on as they come. Steps become lines now and then; where neither came for a while, a thread says
    what goes on, so that no silence is longer than ten seconds.

    Args:
        report: What shows events.
        bar: Whether it shows steps as a bar that moves: then all is passed on and nothing is added.
        seconds: How long a silence may be; it is looked at every quarter of that.
        clock: The time in seconds.
    """

    def __init__(
        self, report: Report, *, bar: bool, seconds: float = 8.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._report, self._bar, self._seconds, self._clock = report, bar, seconds, clock
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._beat_on, daemon=True)
        self._line_at = self._event_at = clock()
        self._step: Step | None = None
        self._said = ""

    def __enter__(self) -> Self:
        if not self._bar:
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
        if self._bar:
            self._report(event)
            return
        with self._lock:
            self._event_at = self._clock()
            if isinstance(event, Message):
                self._said = event.text
                self._show(event)
            elif event.ended:
                self._step, self._said = None, event.label
            else:
                self._step = event
                if self._is_due():
                    self._show(Message(str(event), aside=True))

    def beat(self) -> None:
        """Say what goes on, where nothing was said for a while."""
        with self._lock:
            if self._is_due():
                self._show(Message(self._going_on(), aside=True))

    def _going_on(self) -> str:
        """Return what is being done, and for how long without a word of it."""
        since = duration(self._clock() - self._event_at)
        if self._step is None:
            return f"still working, {since} after: {self._said}" if self._said else f"still working, for {since}"
        step = self._step
        return f"{step.label}: {step.done}/{step.total} {step.unit}{step.note and ', ' + step.note}, at it for {since}"

    def _is_due(self) -> bool:
        return self._clock() - self._line_at >= self._seconds

    def _show(self, message: Message) -> None:
        self._line_at = self._clock()
        self._report(message)

    def _beat_on(self) -> None:
        """Beat until the work is over."""
        while not self._over.wait(self._seconds / 4):
            self.beat()
