"""Events of long work: how far it has come, and how long it will take."""

import math

import pytest

from sr.progress import Event, Message, Progress, Step, duration, no_report


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.4, "0 s"), (42.4, "42 s"), (59.6, "1 m 00 s"), (185, "3 m 05 s"), (3599.7, "1 h 00 m"),
     (7800, "2 h 10 m"), (360000, "100 h 00 m")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_every_step_is_reported_and_the_end_too() -> None:
    events: list[Event] = []
    with Progress("training", 4, report=events.append) as progress:
        progress.step(2, "loss 0.5")
        progress.step(2)
    steps = [event for event in events if isinstance(event, Step)]
    assert len(steps) == len(events) == 3
    assert [(step.label, step.done, step.total, step.unit) for step in steps] == [
        ("training", 2, 4, "step"), ("training", 4, 4, "step"), ("training", 4, 4, "step"),
    ]  # fmt: skip
    assert [step.note for step in steps] == ["loss 0.5", "", ""]
    assert [step.ended for step in steps] == [False, False, True]
    assert steps[0].seconds_left > 0
    assert steps[1].seconds_left == 0


def test_what_was_done_before_counts_as_done_and_not_for_the_speed() -> None:
    progress = Progress("training", 100, start=50)
    assert progress.done == 50
    progress.done += 10
    seconds = [Progress.seconds_left(progress, elapsed) for elapsed in (20.0, 40.0)]
    # Ten of the fifty that were left: four times as long again.
    assert seconds == [80.0, 160.0]


def test_before_the_first_step_nobody_knows_how_long_it_takes() -> None:
    assert Progress("training", 100, start=50).seconds_left(20.0) == math.inf
    assert Progress("training", 100, start=100).seconds_left(20.0) == 0.0


def test_an_error_passes_through_and_ends_the_work() -> None:
    events: list[Event] = []

    def fail() -> None:
        with Progress("training", 3, report=events.append):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    (step,) = events
    assert isinstance(step, Step)
    assert step.ended


def test_by_default_nobody_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("training", 3) as progress:
        progress.step(3)
    no_report(Message("to nobody"))
    assert capsys.readouterr() == ("", "")
    assert progress.done == 3


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Message("a result"), "a result"),
        (Step("training", 2, 4, "step", 20.0), "training: 2/4 step, 20 s left"),
        (Step("training", 4, 4, "step", 0.0, "loss 0.5"), "training: 4/4 step, 0 s left, loss 0.5"),
        (Step("reading", 0, 4, "B", math.inf), "reading: 0/4 B"),
    ],
)
def test_an_event_as_text_by_hand(event: Event, line: str) -> None:
    assert str(event) == line
