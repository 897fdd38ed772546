"""How the time of a search is shared out."""

import math
import time

import pytest

from nas.rungs import ladder
from nas.schedule import FINISH_SECONDS, Schedule, parse_duration
from sr.errors import InputError


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), (" 2m ", 120)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "-5m", "5 days", "m", "1e3"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--time-limit is a duration over zero"):
        parse_duration(text)


def test_searching_and_training_share_all_but_the_finish() -> None:
    schedule = Schedule(600.0, None, began=time.monotonic())
    assert schedule.working_seconds == 600 - FINISH_SECONDS
    assert schedule.training_seconds() == pytest.approx(schedule.working_seconds, abs=1)


def test_a_search_that_used_its_time_leaves_the_rest_to_the_training() -> None:
    schedule = Schedule(600.0, None, began=time.monotonic() - 500)
    assert not schedule.goes_on(3, 1.0)
    assert schedule.training_seconds() == pytest.approx(0.45 * schedule.working_seconds)


def test_trials_bound_a_search_without_a_time_limit() -> None:
    schedule = Schedule(math.inf, 4)
    assert schedule.goes_on(3, 1e9)
    assert not schedule.goes_on(4, 0.0)


def test_four_times_the_time_is_twice_the_steps() -> None:
    for rungs in (1, 3):
        steps = [Schedule(seconds, None).trial_steps(rungs) for seconds in (600.0, 2400.0)]
        assert steps[1] == pytest.approx(2 * steps[0], abs=2)


def test_the_top_of_a_ladder_is_higher_than_a_single_training() -> None:
    schedule = Schedule(600.0, None)
    assert schedule.trial_steps(3) > schedule.trial_steps(1)
    # However short the time, every rung adds steps.
    assert ladder(Schedule(0.1, None).trial_steps(3), 3).steps == (20, 80, 320)


def test_a_supernet_takes_a_part_of_the_search() -> None:
    schedule = Schedule(600.0, None)
    assert 0 < schedule.supernet_seconds < schedule.working_seconds - schedule.training_share
    assert math.isinf(Schedule(math.inf, 4).supernet_seconds)
