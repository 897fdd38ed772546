"""What is waited for, as signs of life name it."""

from sr.heartbeat import Heartbeat
from sr.progress import Event, Message, Phase
from sr.waiting import waiting_for, waits


def test_what_is_waited_for_is_named_while_it_lasts_and_once() -> None:
    assert waits() == ""
    with waiting_for("a lock"), waiting_for("a database"), waiting_for("a lock"):
        assert waits() == "a lock, a database"
    assert waits() == ""


def test_sign_of_life_says_what_is_waited_for() -> None:
    now, told = [0.0], list[Event]()
    heartbeat = Heartbeat(told.append, redrawn=False, seconds=8.0, clock=lambda: now[0])
    heartbeat(Phase("training"))
    now[0] = 9.0
    with waiting_for("the journal, which process 7 on host holds"):
        heartbeat.beat()
    assert told == [
        Message(
            "training: 9 s so far; waiting for the journal, which process 7 on host holds", aside=True, passing=True
        )
    ]
