"""Ctrl-C waits for the end of a block, and is not lost."""

import signal
import threading
from collections.abc import Iterator

import pytest

from nas.interrupts import uninterrupted


@pytest.fixture(autouse=True)
def _as_in_a_shell() -> Iterator[None]:
    """Take Ctrl-C as a foreground command does: one in the background may have inherited to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupt_within_a_block_comes_at_its_end_and_once() -> None:
    done = []

    @uninterrupted()
    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("the rest")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the rest"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_every_call_of_a_decorated_function_is_whole() -> None:
    @uninterrupted()
    def doubled(value: int, *, interrupted: bool) -> int:
        if interrupted:
            signal.raise_signal(signal.SIGINT)
        return 2 * value

    assert [doubled(value, interrupted=False) for value in (1, 2)] == [2, 4]
    with pytest.raises(KeyboardInterrupt):
        doubled(3, interrupted=True)
    assert doubled(4, interrupted=False) == 8


def test_error_goes_through_and_the_handler_is_given_back() -> None:
    with pytest.raises(ValueError, match="mine"), uninterrupted():
        raise ValueError("mine")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupt_within_nested_blocks_comes_at_the_end_of_the_outer_one() -> None:
    done = []

    @uninterrupted()
    def outer() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        done.append("the outer one")

    with pytest.raises(KeyboardInterrupt):
        outer()
    assert done == ["the outer one"]


def test_other_threads_and_ignored_interrupts_are_left_alone() -> None:
    found = []

    def beside() -> None:
        with uninterrupted():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=beside)
    thread.start()
    thread.join()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            found.append(signal.getsignal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    assert found == [signal.default_int_handler, signal.SIG_IGN]
