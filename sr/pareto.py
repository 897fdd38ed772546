"""Which points are worth having when several objectives pull apart. Every objective is to be minimised."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Point = Sequence[float]
Name = TypeVar("Name", bound=Hashable)


def dominates(left: Point, right: Point) -> bool:
    """Return whether `left` is nowhere worse than `right` and somewhere better."""
    return all(a <= b for a, b in zip(left, right, strict=True)) and tuple(left) != tuple(right)


def front(points: Mapping[Name, Point]) -> list[Name]:
    """Return the names of the points that none dominates, by the first objective; equal points all stay."""
    names = list(points)
    if not names:
        return []
    kept = [names[index] for index in _front_of(np.array(list(points.values()), dtype=np.float64))]
    return sorted(kept, key=lambda name: tuple(points[name]))


def hypervolume(points: Sequence[Point], worst: Point) -> float:
    """Return the volume that points dominate up to a corner.

    Sweeps the last objective and adds slab by slab the volume of the others (Zitzler's slicing): exact, meant for the
    two or three objectives and the hundreds of points of a search.

    Args:
        points: Each as long as there are objectives.
        worst: The corner; a point beyond it adds nothing.
    """
    inside = [tuple(point) for point in points if all(a < b for a, b in zip(point, worst, strict=True))]
    if not inside:
        return 0.0
    if len(worst) == 1:
        return worst[0] - min(point[0] for point in inside)
    inside.sort(key=lambda point: point[-1])
    ends = [point[-1] for point in inside[1:]] + [worst[-1]]
    return sum(
        (end - point[-1]) * hypervolume([other[:-1] for other in inside[: index + 1]], worst[:-1])
        for index, (point, end) in enumerate(zip(inside, ends, strict=True))
        if end > point[-1]
    )


def non_dominated_sort(points: Mapping[Name, Point]) -> list[list[Name]]:
    """Return the names layer by layer: the front, the front of what remains, and so on; each in the order of `points`.

    Efficient non-dominated sorting by binary search (Zhang et al., IEEE TEVC 2015) for one to three objectives: in the
    order of the first, each point goes to the first layer where nothing is as good in the two others. Ten thousand
    points take about a tenth of a second. Raises ValueError for more than three objectives.
    """
    padded = {name: _three_of(point) for name, point in points.items()}
    stairs, layer_of = list[_Stairs](), dict[tuple[float, float, float], int]()
    for point in sorted(set(padded.values())):
        _, second, third = point
        layer = bisect_left(stairs, x=True, key=lambda each: not each.covers(second, third))
        if layer == len(stairs):
            stairs.append(_Stairs())
        stairs[layer].add(second, third)
        layer_of[point] = layer
    layers: list[list[Name]] = [[] for _ in stairs]
    for name, point in padded.items():
        layers[layer_of[point]].append(name)
    return layers


def _three_of(point: Point) -> tuple[float, float, float]:
    """Return a point with three objectives, those that it lacks equal for all."""
    if len(point) > 3:
        raise ValueError(f"points are sorted by three objectives at the most, got {len(point)}")
    first, second, third = (*point, *[0.0] * (3 - len(point)))
    return first, second, third


class _Stairs:
    """The best of two objectives so far: the first rises from one to the next, the second falls."""

    def __init__(self) -> None:
        self._rising, self._falling = list[float](), list[float]()

    def covers(self, rising: float, falling: float) -> bool:
        """Return whether something is as good in both."""
        at = bisect_right(self._rising, rising)
        return at > 0 and self._falling[at - 1] <= falling

    def add(self, rising: float, falling: float) -> None:
        """Take in what is not covered, in the place of all that it covers."""
        at = end = bisect_left(self._rising, rising)
        while end < len(self._falling) and self._falling[end] >= falling:
            end += 1
        self._rising[at:end], self._falling[at:end] = [rising], [falling]


def _front_of(values: NDArray[np.float64]) -> list[int]:
    """Return the indices, in order, of the rows of (n, objectives) that no row dominates; equal rows all stay."""
    left = np.lexsort(values.T[::-1])
    kept: list[int] = []
    while left.size:
        # In this order nothing that is left dominates the first.
        first = values[left[0]]
        kept.append(int(left[0]))
        others = values[left]
        left = left[(others < first).any(axis=1) | (others == first).all(axis=1)]
        left = left[left != kept[-1]]
    return sorted(kept)


def crowding(points: Mapping[Name, Point]) -> dict[Name, float]:
    """Return the crowding distance of each point: how far apart its neighbours lie, summed over the objectives.

    Each objective counts in shares of its range over `points`; an objective in which all are equal adds nothing
    (NSGA-II, Deb et al. 2002).

    Returns:
        The distances by name; infinite for the ends of an objective.
    """
    distances = dict.fromkeys(points, 0.0)
    for objective in range(len(next(iter(points.values()), ()))):
        order = sorted(points, key=lambda name: points[name][objective])
        values = [points[name][objective] for name in order]
        width = values[-1] - values[0]
        if width == 0:
            continue
        distances[order[0]] = distances[order[-1]] = math.inf
        for index in range(1, len(order) - 1):
            distances[order[index]] += (values[index + 1] - values[index - 1]) / width
    return distances
