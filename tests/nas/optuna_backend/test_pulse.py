"""A thread that beats while its object is there."""

import gc
import threading
import weakref

import pytest

from nas.optuna_backend.pulse import Pulse


class Heart:
    """Has been beaten so often."""

    def __init__(self) -> None:
        self.beaten = threading.Event()

    def beat(self) -> None:
        self.beaten.set()


def test_heart_beats_and_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.optuna_backend.pulse.BEAT_SECONDS", 0.01)
    heart = Heart()
    pulse = Pulse(heart.beat)
    pulse.start()
    pulse.start()
    assert heart.beaten.wait(60)
    gone = weakref.ref(heart)
    thread = pulse._thread
    del heart
    gc.collect()
    assert thread is not None
    thread.join(60)
    assert not thread.is_alive()
    assert gone() is None
