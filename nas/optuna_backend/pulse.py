"""A thread that beats for a process while its main thread works."""

import threading
import weakref
from collections.abc import Callable

from nas.optuna_backend.owner import BEAT_SECONDS


class Pulse:
    """Calls a method every BEAT_SECONDS from `start` on, for as long as its object is there.

    Args:
        beat: A bound method; the thread keeps nobody alive who holds it.
    """

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = weakref.WeakMethod(beat)
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start it where it does not beat yet."""
        if self._thread is None:
            self._thread = threading.Thread(target=_beat_on, args=(self._beat, self._over), daemon=True)
            self._thread.start()

    def __del__(self) -> None:
        self._over.set()


def _beat_on(beat: "weakref.WeakMethod[Callable[[], None]]", over: threading.Event) -> None:
    """Beat until it is over."""
    while not over.wait(BEAT_SECONDS):
        method = beat()
        if method is None:
            return
        method()
        # Else this frame would hold its object until the next beat.
        del method
