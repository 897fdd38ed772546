"""How the time of a search is shared out."""

import math
import time

import pytest

from nas.successive_halving import ladder
from nas.time_budget import FINISH_SECONDS, SHIPPING_SECONDS, TimeBudget, limit_of


def test_searching_and_training_share_all_but_the_finish() -> None:
    budget = TimeBudget(600.0, None, began=time.monotonic())
    assert budget.working_seconds == 600 - FINISH_SECONDS
    assert budget.training_share + budget.search_left <= budget.working_seconds
    # It began a moment ago.
    assert budget.training_share < budget.training_seconds() <= budget.working_seconds


def test_short_time_keeps_half_for_the_finish() -> None:
    assert TimeBudget(60.0, None).working_seconds == 30.0


def test_shorter_searches_give_a_larger_share_to_candidates() -> None:
    shares = [TimeBudget(each, None) for each in (60.0, 90.0, 600.0, 3600.0)]
    of_all = [each.search_seconds / each.working_seconds for each in shares]
    assert of_all[0] == of_all[1] > of_all[2] > of_all[3]
    assert math.isinf(TimeBudget(math.inf, 4).search_seconds)
    assert math.isinf(TimeBudget(math.inf, 4).training_share)


@pytest.mark.parametrize("seconds", [60.0, 84.0, 200.0, 3600.0])
def test_limit_gives_candidates_the_seconds_asked_for(seconds: float) -> None:
    assert TimeBudget(limit_of(seconds), None).search_seconds == pytest.approx(seconds)


def test_search_that_found_nothing_yet_goes_on_into_the_training() -> None:
    budget = TimeBudget(90.0, None, began=time.monotonic() - 33)
    assert budget.left_to_search(found=True) < 0 < budget.left_to_search(found=False)
    assert budget.allows_another(2, None)
    assert not budget.allows_another(2, 1.0)
    # Never into all of it.
    late = TimeBudget(90.0, None, began=time.monotonic() - 68)
    assert late.left_to_search(found=False) < 0
    assert math.isinf(TimeBudget(math.inf, 4).left_to_search(found=False))


def test_training_gets_what_is_left_but_for_shipping() -> None:
    budget = TimeBudget(600.0, None, began=time.monotonic() - 400)
    assert not budget.allows_another(3, 1.0)
    assert budget.training_seconds() == pytest.approx(200 - SHIPPING_SECONDS, abs=1)
    # However late it is.
    late = TimeBudget(600.0, None, began=time.monotonic() - 590)
    assert late.training_seconds() == 0.5 * late.training_share
    assert math.isinf(TimeBudget(math.inf, 4).training_seconds())


def test_trial_that_does_not_fit_into_the_time_is_not_begun() -> None:
    budget = TimeBudget(600.0, None)
    assert budget.allows_another(10_000, 0.1)
    assert not budget.allows_another(0, 600.0)


def test_trials_bound_a_search_without_a_time_limit() -> None:
    budget = TimeBudget(math.inf, 4)
    assert budget.allows_another(3, 1e9)
    assert not budget.allows_another(4, 0.0)


def test_four_times_the_time_is_twice_the_steps() -> None:
    for rungs in (1, 3):
        steps = [TimeBudget(seconds, None).trial_steps(rungs) for seconds in (600.0, 2400.0)]
        assert steps[1] == pytest.approx(2 * steps[0], abs=2)


def test_top_of_a_ladder_is_higher_than_a_single_training() -> None:
    budget = TimeBudget(600.0, None)
    assert budget.trial_steps(3) > budget.trial_steps(1)
    # However short the time, every rung adds steps.
    assert ladder(TimeBudget(0.1, None).trial_steps(3), 3).steps == (20, 80, 320)


def test_steps_without_a_time_limit_are_those_of_the_default() -> None:
    assert TimeBudget(math.inf, 4).trial_steps(3) == TimeBudget(600.0, None).trial_steps(3)


def test_supernet_takes_a_part_of_the_search() -> None:
    budget = TimeBudget(600.0, None)
    assert 0 < budget.supernet_seconds < budget.working_seconds - budget.training_share
    assert math.isinf(TimeBudget(math.inf, 4).supernet_seconds)
