"""Lines of life, by a scripted clock."""

import threading

from sr.heartbeat import Heartbeat
from sr.progress import Event, Message, Phase, Standing, Step


class Clock:
    """The time as it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def begun(*, redrawn: bool = False) -> tuple[Heartbeat, Clock, list[Event]]:
    clock, told = Clock(), list[Event]()
    return Heartbeat(told.append, redrawn=redrawn, seconds=8.0, clock=clock), clock, told


def step(done: int, *, label: str = "training", note: str = "", ended: bool = False) -> Step:
    return Step(label, done, 4, "step", 20.0, note, ended)


def test_messages_are_passed_on_as_they_come() -> None:
    heartbeat, _, told = begun()
    heartbeat(Message("a result"))
    heartbeat(Message("a warning", aside=True))
    assert told == [Message("a result"), Message("a warning", aside=True)]


def test_steps_are_lines_once_nothing_was_said_for_a_while_whatever_their_label() -> None:
    heartbeat, clock, told = begun()
    for clock.now, label in ((0.0, "a"), (4.0, "a"), (6.0, "b"), (8.5, "c"), (12.0, "d"), (17.0, "d")):
        heartbeat(step(1, label=label))
    assert told == [Message(f"{label}: 1/4 step, 20 s left", aside=True, passing=True) for label in ("c", "d")]


def test_silent_work_is_told_of_by_its_last_step() -> None:
    heartbeat, clock, told = begun()
    heartbeat(step(0, label="comparing", note="side by side"))
    for clock.now in (7.0, 8.0, 9.0, 16.5):
        heartbeat.beat()
    assert told == [
        Message("comparing: 0/4 step, 20 s left, side by side, at it for 8 s", aside=True, passing=True),
        Message("comparing: 0/4 step, 20 s left, side by side, at it for 16 s", aside=True, passing=True),
    ]


def test_a_beat_between_two_steps_says_the_time_left() -> None:
    heartbeat, clock, told = begun()
    clock.now = 7.9
    heartbeat(step(1))
    clock.now = 8.1
    heartbeat.beat()
    assert told == [Message("training: 1/4 step, 20 s left", aside=True, passing=True)]


def test_silent_work_without_steps_is_told_of_by_what_was_said_last() -> None:
    heartbeat, clock, told = begun()
    clock.now = 8.0
    heartbeat.beat()
    heartbeat(Message("the network is loaded"))
    clock.now = 17.0
    heartbeat.beat()
    heartbeat(step(4, ended=True))
    clock.now = 26.0
    heartbeat.beat()
    assert [str(event) for event in told] == [
        "still working, for 8 s", "the network is loaded", "still working, 9 s after: the network is loaded",
        "still working, 9 s after: training",
    ]  # fmt: skip


def test_where_it_is_redrawn_all_is_passed_on_and_nothing_added() -> None:
    heartbeat, clock, told = begun(redrawn=True)
    events = [Phase("measuring"), Standing((("front", "3 networks"),)), step(1), Message("trial 1"), Standing()]
    with heartbeat:
        for clock.now, event in enumerate(events, start=60):
            heartbeat(event)
            heartbeat.beat()
    assert told == events


def test_how_it_stands_is_no_line_of_its_own() -> None:
    heartbeat, clock, told = begun()
    heartbeat(Phase("measuring"))
    clock.now = 9.0
    heartbeat(Standing((("front", "3 networks"),)))
    assert told == []
    heartbeat.beat()
    assert [str(event) for event in told] == ["measuring: 0 s so far"]


def test_it_beats_by_itself_while_there_is_work_and_no_longer() -> None:
    beaten, told = threading.Event(), list[Event]()

    def report(event: Event) -> None:
        told.append(event)
        beaten.set()

    with Heartbeat(report, redrawn=False, seconds=0.01):
        assert beaten.wait(30)
    assert str(told[0]) == "still working, for 0 s"
    assert not [thread for thread in threading.enumerate() if "_beat_on" in thread.name]


def test_phase_is_named_while_it_lasts_with_the_time_that_it_is_expected_to_take() -> None:
    heartbeat, clock, told = begun()
    heartbeat(Phase("measuring", 30.0))
    for clock.now in (7.0, 9.0, 40.0):
        heartbeat.beat()
    assert [str(event) for event in told] == ["measuring: 9 s so far, about 21 s left", "measuring: 40 s so far"]
