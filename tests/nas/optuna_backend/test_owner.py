"""Which process works on a trial, and whether it still lives."""

import json
import os
import subprocess
import sys

import pytest

from nas.optuna_backend.owner import BEAT_SECONDS, LOST_SECONDS, Silence, has_ended, id_of, new_owner


class Clock:
    """The time as it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def changed(**fields: object) -> str:
    return json.dumps({**json.loads(new_owner()), **fields})


def ended_process() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(timeout=60)
    return ended.pid


def test_live_process_has_not_ended() -> None:
    assert json.loads(new_owner())["pid"] == os.getpid()
    assert not has_ended(new_owner())
    assert id_of(new_owner()) != id_of(new_owner())


def test_nothing_is_known_of_a_process_elsewhere_or_of_an_earlier_version() -> None:
    # Another container's numbers are others, whatever its name.
    assert not has_ended(changed(machine="another", pid=ended_process()))
    assert not has_ended(json.dumps({"host": "here", "pid": ended_process()}))
    assert not has_ended(None)
    assert id_of(None) == id_of(json.dumps({"host": "here", "pid": 1})) == ""


@pytest.mark.skipif(not json.loads(new_owner())["machine"], reason="this system does not tell its processes apart")
def test_process_of_this_machine_that_ended_is_known_at_once_also_where_its_number_is_another_s() -> None:
    assert has_ended(changed(pid=ended_process()))
    assert has_ended(changed(started="1"))


def test_heart_that_stands_still_for_long_is_lost() -> None:
    clock = Clock()
    silence = Silence(clock)
    for beats in range(int(LOST_SECONDS / BEAT_SECONDS) + 2):
        clock.now += BEAT_SECONDS
        silence.look({"still": 7, "never": None, "beats": beats})
    assert [silence.is_lost(each) for each in ("still", "never", "beats", "unknown")] == [True, True, False, False]
    clock.now += BEAT_SECONDS
    silence.look({"still": 8})
    assert not silence.is_lost("still")


def test_silence_while_nobody_could_listen_is_nobody_s() -> None:
    clock = Clock()
    silence = Silence(clock)
    silence.look({"other": 7})
    # The database was away, or this machine asleep.
    clock.now += 100 * LOST_SECONDS
    silence.look({"other": 7})
    assert not silence.is_lost("other")
