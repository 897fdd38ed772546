"""The plan whose measured runtime is nearest to what was asked for, among those that a moved limit leads to.

What a plan takes is predicted before it is measured, and a few per cent of that are wrong; and plans lie in steps of
channels. So the limit is moved by what measuring says until a plan on the mark is found, or its neighbours on either
side.
"""

import math
import statistics
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sr.errors import InputError

# A runtime is met from this share below what was asked for up to it.
CLOSE = 0.03
# Pairs of runs that a plan is first measured by, and each set that confirms it.
FIRST_PAIRS, CONFIRMING_PAIRS = 5, 9
# Two sets of runs confirm each other where their medians lie within this share; where they do not, one more decides.
_AGREEMENT, _MOST_SETS = 0.05, 3
# A limit by this share below what a plan costs leads to the next one down.
_EDGE = 1e-6
# Where a limit leads to the same plan as the one before it is raised by these shares.
_RISES = (0.03, 0.06, 0.12, 0.24, 0.48)
# How far between two plans the limit is moved at most towards either.
_INWARDS = 0.05

Content = TypeVar("Content")


@dataclass(frozen=True)
class Option(Generic[Content]):
    """A plan that a limit leads to.

    Attributes:
        key: The same for the same plan.
        predicted: Its runtime as a share of the dense one's, by prediction.
        content: The plan.
    """

    key: Hashable
    predicted: float
    content: Content


@dataclass(frozen=True)
class Nearest(Generic[Content]):
    """What a search came to.

    Attributes:
        content: The plan that is nearest.
        ratio: Its runtime as a share of the dense one's, confirmed.
        below: Of those measured the nearest that takes no more than was asked for; None where there is none.
        above: The nearest that takes more; None where there is none.
        nothing_between: Whether the selection knows no plan between these two.
    """

    content: Content
    ratio: float
    below: float | None
    above: float | None
    nothing_between: bool


# Leads from a limit, as a share of the dense runtime by prediction, to a plan; raises InputError where there is none.
Select = Callable[[float], Option[Content]]
# Measures a plan by so many pairs of runs: its runtime as a share of the dense one's, by each.
Ratios = Callable[[Option[Content], int], Sequence[float]]


def is_met(off: float) -> bool:
    """Return whether a runtime, as a share of what was asked for, meets it."""
    return 1 - CLOSE <= off <= 1


def badness(off: float) -> tuple[bool, float]:
    """Return what orders runtimes as shares of what was asked for: those that meet it first, then by the distance."""
    return not is_met(off), abs(off - 1)


def nearest(
    mark: float,
    select: Select[Content],
    ratios: Ratios[Content],
    *,
    most: int,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Nearest[Content]:
    """Return the plan whose measured runtime is nearest to the mark.

    Args:
        mark: The share of the dense runtime that is asked for.
        select: Leads from a limit to a plan.
        ratios: Measures a plan.
        most: How many plans are measured.
        may_go_on: Asked before another plan is measured.

    Returns:
        The plan within `CLOSE` below the mark, else the nearest; confirmed by a second set of runs in either case.

    Raises:
        InputError: Where no plan is within a limit of `mark`.
    """
    search = _Search(mark, select, ratios)
    search.measure(select(mark))
    while not (search.best.confirmed and search.is_over):
        if not search.is_over and len(search.points) < most and may_go_on():
            option = search.following()
            if option is not None:
                search.measure(option)
                continue
        if search.best.confirmed:
            break
        search.confirm(search.best)
    return search.outcome()


@dataclass(frozen=True)
class _Point(Generic[Content]):
    """A plan that was measured, by sets of pairs of runs."""

    option: Option[Content]
    sets: tuple[tuple[float, ...], ...]

    @property
    def ratio(self) -> float:
        """The median over all pairs."""
        return statistics.median(ratio for each in self.sets for ratio in each)

    @property
    def confirmed(self) -> bool:
        """Whether a second set of runs came to the same, or a third one decided."""
        if len(self.sets) in (1, _MOST_SETS):
            return len(self.sets) > 1
        first, second = map(statistics.median, self.sets)
        return abs(second / first - 1) <= _AGREEMENT


@dataclass
class _Search(Generic[Content]):
    """What is known so far."""

    mark: float
    select: Select[Content]
    ratios: Ratios[Content]
    points: dict[Hashable, _Point[Content]] = field(default_factory=dict)
    # Plans between which the selection knows no other.
    neighbours: set[tuple[Hashable, Hashable]] = field(default_factory=set)

    @property
    def best(self) -> _Point[Content]:
        """The nearest so far."""
        return min(self.points.values(), key=lambda point: badness(point.ratio / self.mark))

    @property
    def is_over(self) -> bool:
        """Whether the mark is met."""
        return is_met(self.best.ratio / self.mark)

    def measure(self, option: Option[Content]) -> None:
        """Measure a plan for the first time."""
        self.points[option.key] = _Point(option, (tuple(self.ratios(option, FIRST_PAIRS)),))

    def confirm(self, point: _Point[Content]) -> None:
        """Measure a plan by another set of runs."""
        again = tuple(self.ratios(point.option, CONFIRMING_PAIRS))
        self.points[point.option.key] = _Point(point.option, (*point.sets, again))

    def following(self) -> Option[Content] | None:
        """Return the plan to measure next, None where no other lies nearer to the mark."""
        if self._between in self.neighbours:
            return None
        option = self._nearer(*self._sides())
        if option is None:
            self.neighbours.add(self._between)
        return option

    def outcome(self) -> Nearest[Content]:
        """Return what the search came to."""
        best, ratios = self.best, [point.ratio for point in self.points.values()]
        below = max((ratio for ratio in ratios if ratio <= self.mark), default=None)
        above = min((ratio for ratio in ratios if ratio > self.mark), default=None)
        return Nearest(best.option.content, best.ratio, below, above, self._between in self.neighbours)

    @property
    def _between(self) -> tuple[Hashable, Hashable]:
        """What names the plans on either side of the mark."""
        below, above = self._sides()
        return below and below.option.key, above and above.option.key

    def _nearer(self, below: _Point[Content] | None, above: _Point[Content] | None) -> Option[Content] | None:
        """Return a plan between two, None where there is none; without one of them, beyond the other."""
        aim = self.mark * (1 - CLOSE / 2)
        if above is None:
            assert below is not None
            return self._up(below, aim)
        edge = above.option.predicted * (1 - _EDGE)
        if below is None:
            return self._first_new([min(edge, above.option.predicted * aim / above.ratio), edge])
        share = math.log(aim / below.ratio) / math.log(above.ratio / below.ratio)
        inward = min(max(share, _INWARDS), 1 - _INWARDS)
        guess = below.option.predicted * (above.option.predicted / below.option.predicted) ** inward
        return self._first_new([guess, edge])

    def _sides(self) -> tuple[_Point[Content] | None, _Point[Content] | None]:
        """Return, by what is predicted, the highest plan below the lowest of those that take too long, and that one."""
        slow = [point for point in self.points.values() if point.ratio > self.mark]
        above = min(slow, key=lambda point: point.option.predicted, default=None)
        fast = [
            point
            for point in self.points.values()
            if point.ratio <= self.mark and (above is None or point.option.predicted < above.option.predicted)
        ]
        return max(fast, key=lambda point: point.option.predicted, default=None), above

    def _up(self, below: _Point[Content], aim: float) -> Option[Content] | None:
        """Return a plan above all that was measured."""
        predicted = below.option.predicted
        guess = predicted * aim / below.ratio
        limits = [guess, *(limit for rise in _RISES if guess < (limit := predicted * (1 + rise)) < 1), 1.0]
        return self._first_new([limit for limit in limits if limit <= 1])

    def _first_new(self, limits: Sequence[float]) -> Option[Content] | None:
        """Return the first plan that was not measured yet of those that limits lead to; None where there is none."""
        for limit in limits:
            try:
                option = self.select(limit)
            except InputError:
                # Below the least that can be left of the network.
                continue
            if option.key not in self.points:
                return option
        return None
