"""The plan that is nearest to a runtime, by scripted runtimes."""

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prune.nearest import CLOSE, CONFIRMING_PAIRS, FIRST_PAIRS, Nearest, Option, badness, is_met, nearest
from sr.errors import InputError


class Staircase:
    """Plans by what they are predicted to take, ascending; each takes what `real` makes of that.

    Attributes:
        measured: The plans that were measured and by how many pairs, in that order.
    """

    def __init__(self, predicted: Sequence[float], real: Callable[[float], float]) -> None:
        self.predicted, self.real = sorted(predicted), real
        self.measured: list[tuple[float, int]] = []

    def select(self, limit: float) -> Option[float]:
        within = [each for each in self.predicted if each <= limit]
        if not within:
            raise InputError("no plan of this network stays within it")
        return Option(within[-1], within[-1], within[-1])

    def ratios(self, option: Option[float], pairs: int) -> list[float]:
        self.measured.append((option.content, pairs))
        return [self.real(option.content)] * pairs

    def nearest(self, mark: float, *, most: int = 6, may_go_on: Callable[[], bool] = lambda: True) -> Nearest[float]:
        return nearest(mark, self.select, self.ratios, most=most, may_go_on=may_go_on)


FINE = [number / 1000 for number in range(100, 1001)]


@pytest.mark.parametrize("error", [0.7, 0.9, 1.0, 1.15, 1.4])
def test_a_wrong_prediction_is_made_up_for_in_two_plans(error: float) -> None:
    stairs = Staircase(FINE, lambda predicted: error * predicted)
    found = stairs.nearest(0.45)
    assert 0.45 * (1 - CLOSE) <= found.ratio <= 0.45
    assert len({plan for plan, _ in stairs.measured}) <= 2


def test_a_runtime_is_confirmed_by_runs_of_its_own() -> None:
    stairs = Staircase(FINE, lambda predicted: predicted)
    stairs.nearest(0.45)
    assert stairs.measured == [(0.45, FIRST_PAIRS), (0.45, CONFIRMING_PAIRS)]


def test_coarse_steps_end_at_the_nearest_with_its_neighbours() -> None:
    stairs = Staircase([0.2, 0.38, 0.5, 0.8, 1.0], lambda predicted: 1.02 * predicted)
    found = stairs.nearest(0.45)
    assert found.content == 0.5
    assert found.ratio == pytest.approx(0.51)
    assert found.below == pytest.approx(0.3876)
    assert found.above == pytest.approx(0.51)
    assert found.nothing_between


def test_a_little_above_is_nearer_than_far_below() -> None:
    found = Staircase([0.2, 0.46], lambda predicted: predicted).nearest(0.45)
    assert (found.content, found.below, found.above) == (0.46, 0.2, 0.46)


def test_within_the_mark_is_better_than_nearer_above() -> None:
    assert sorted([1.04, 0.9, 0.98, 1.01, 0.97], key=badness) == [0.98, 0.97, 1.01, 1.04, 0.9]


def test_without_a_plan_below_the_least_is_taken() -> None:
    found = Staircase([0.4, 0.6], lambda predicted: 3 * predicted).nearest(0.45)
    assert (found.content, found.below, found.nothing_between) == (0.4, None, True)
    assert found.above == pytest.approx(1.2)


def test_without_a_plan_above_the_highest_is_taken() -> None:
    found = Staircase([0.1, 0.2, 0.3], lambda predicted: predicted / 2).nearest(0.45)
    assert (found.content, found.below, found.above, found.nothing_between) == (0.3, 0.15, None, True)


def test_no_more_than_so_many_plans_are_measured() -> None:
    # A device that is busy: whatever is measured takes a thousand times too long.
    stairs = Staircase(FINE, lambda _: 600.0)
    found = stairs.nearest(0.45, most=3)
    assert len({plan for plan, _ in stairs.measured}) == 3
    assert not found.nothing_between


def test_no_other_plan_is_measured_where_the_time_is_over() -> None:
    stairs = Staircase(FINE, lambda predicted: 1.3 * predicted)
    found = stairs.nearest(0.45, may_go_on=lambda: False)
    assert {plan for plan, _ in stairs.measured} == {0.45}
    assert found.ratio == pytest.approx(1.3 * 0.45)


def test_a_reading_that_the_next_does_not_confirm_is_decided_by_a_third() -> None:
    readings = iter([0.44, 0.55, 0.55, *[0.44] * 20])
    measured: list[float] = []

    def ratios(option: Option[float], pairs: int) -> list[float]:
        measured.append(option.content)
        return [next(readings)] * pairs

    stairs = Staircase([0.45], lambda predicted: predicted)
    found = nearest(0.45, stairs.select, ratios, most=6)
    assert measured == [0.45] * 3
    assert found.ratio == 0.55


def test_no_plan_within_what_is_asked_for_is_an_error() -> None:
    with pytest.raises(InputError, match="no plan of this network"):
        Staircase([0.6], lambda predicted: predicted).nearest(0.45)


@given(
    st.lists(st.floats(0.05, 1.0), min_size=1, max_size=12, unique=True),
    st.floats(0.6, 1.6),
    st.floats(0.2, 0.9),
)
def test_the_nearest_feasible_plan_is_found(predicted: list[float], error: float, mark: float) -> None:
    stairs = Staircase(predicted, lambda each: error * each)
    if min(predicted) > mark:
        return
    found = stairs.nearest(mark, most=20)
    every = [error * each for each in predicted]
    if any(is_met(each / mark) for each in every):
        assert is_met(found.ratio / mark)
    else:
        assert abs(found.ratio - mark) == pytest.approx(min(abs(each - mark) for each in every))
        # Either side of the mark was looked at, where there is one.
        assert (found.below is None) == (min(every) > mark)
        assert (found.above is None) == (max(every) <= mark)
    assert math.isfinite(found.ratio)
