"""How the time of a pruning is shared out, by a scripted clock."""

from collections.abc import Callable
from typing import Any

import pytest

from prune.config import PruneConfig
from prune.planning.keeper import TimeKeeper
from prune.planning.remembered import Planned
from prune.planning.time_plan import WORKING_SHARE, Speeds, Steps
from prune.scoring.pace import Pace

PLANNED = Planned(Steps(4, 10, 20, 100), Speeds(0.5, 0.5, 0.5, 1.0, 20.0, 60.0))


def clock(*seconds: float) -> Callable[[], float]:
    times = iter(seconds)
    return lambda: next(times)


def keeper(*seconds: float, **asked: Any) -> TimeKeeper:
    """Return what began at 0, compares three methods and sees these times then."""
    return TimeKeeper(PruneConfig(**asked), 3, clock(0.0, *seconds))


def test_what_is_left_is_of_the_limit() -> None:
    assert keeper(100.0).left == 800.0
    assert keeper(100.0, time_limit=None).left == float("inf")


@pytest.mark.parametrize(("now", "methods_left"), [(300.0, 3), (400.0, 2), (500.0, 1)])
def test_a_method_has_a_fair_share_of_what_the_end_does_not_need(now: float, methods_left: int) -> None:
    # 4 networks by 100 steps of half a second, and a minute to compare.
    share = (WORKING_SHARE * (900.0 - now) - 200.0 - 60.0) / methods_left
    # A round takes 16 seconds, and 20 are for measuring.
    fits = max(1, int((share - 20.0) / 16.0))
    arm = keeper(now, now, now).arm(PLANNED, methods_left)
    assert arm.pace(Pace(4, 10, 20)).rounds == min(4, fits)


def test_rounds_that_a_user_gives_stay() -> None:
    arm = keeper(890.0, 890.0, 890.0, rounds=4).arm(PLANNED, 1)
    assert arm.pace(Pace(4, 30, 100)) == Pace(4, 10, 20)
    arm = keeper(890.0, 890.0, 890.0, rounds=4, tick_steps=30, tock_steps=100).arm(PLANNED, 1)
    assert arm.pace(Pace(4, 30, 100)) == Pace(4, 30, 100)
