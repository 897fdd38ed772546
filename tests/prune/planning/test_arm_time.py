"""The share of one method: what is left of its rounds by a scripted clock."""

from collections.abc import Callable
from typing import Any

from prune.planning.arm_time import ArmTime
from prune.planning.time_plan import LEAST_TICK, LEAST_TOCK
from prune.scoring.pace import Pace


def scripted(*seconds: float) -> Callable[[], float]:
    times = iter(seconds)
    return lambda: next(times)


def begun(*seconds: float, share: float = 100.0, **options: Any) -> ArmTime:
    """Return a method's share that begins at 0, and is asked at these times."""
    return ArmTime(share, clock=scripted(0.0, *seconds), **({"round_seconds": 10.0} | options))


PLANNED = Pace(8, 30, 100)


def test_rounds_that_fit_are_as_planned() -> None:
    arm = begun(0.0, 10.0)
    assert arm.pace(PLANNED) == PLANNED
    assert arm.pace(Pace(7, 30, 100)) == Pace(7, 30, 100)


def test_a_round_that_took_longer_makes_the_rest_fewer() -> None:
    arm = begun(0.0, 40.0)
    arm.pace(PLANNED)
    # 60 of 100 seconds are left, and 40 are a round.
    assert arm.pace(Pace(7, 30, 100)) == Pace(1, 30, 100)


def test_time_for_measuring_is_kept() -> None:
    arm = begun(0.0, 10.0, measuring=60.0)
    assert arm.pace(PLANNED) == Pace(4, 30, 100)
    assert arm.pace(Pace(3, 30, 100)) == Pace(3, 30, 100)


def test_the_last_round_is_shorter_where_it_does_not_fit() -> None:
    arm = begun(0.0, 80.0)
    arm.pace(PLANNED)
    assert arm.pace(Pace(7, 40, 100)) == Pace(1, 10, 25)


def test_beyond_the_share_the_least_is_done() -> None:
    arm = begun(0.0, 500.0)
    arm.pace(PLANNED)
    assert arm.pace(Pace(7, 30, 100)) == Pace(1, LEAST_TICK, LEAST_TOCK)


def test_what_is_given_stays() -> None:
    arm = begun(0.0, 80.0, given=("rounds", "tick_steps", "tock_steps"))
    arm.pace(PLANNED)
    assert arm.pace(Pace(7, 30, 100)) == Pace(7, 30, 100)


def test_rounds_that_are_results_of_their_own_end() -> None:
    arm = begun(0.0, 50.0, 95.0, may_end_early=True)
    assert arm.pace(PLANNED) == PLANNED
    assert arm.pace(Pace(7, 30, 100)) == Pace(7, 30, 100)
    assert arm.pace(Pace(6, 30, 100)).rounds == 0


def test_plans_are_measured_until_the_last_tock_must_begin() -> None:
    arm = begun(50.0, 92.0, tock_seconds=10.0)
    assert arm.may_measure()
    assert not arm.may_measure()


def test_without_a_limit_nothing_is_left_out() -> None:
    arm = ArmTime(clock=scripted(0.0, 0.0, 1e6, 1e9))
    assert arm.pace(PLANNED) == PLANNED
    assert arm.pace(PLANNED) == PLANNED
    assert arm.may_measure()
