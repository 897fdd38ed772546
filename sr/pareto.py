"""Which points are worth having when several objectives pull apart. Every objective is to be minimised."""

import math
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

    Ten thousand points of three objectives take about a second.
    """
    names = list(points)
    layers: list[list[Name]] = []
    remaining = np.arange(len(names))
    values = np.array(list(points.values()), dtype=np.float64)
    while remaining.size:
        layer = _front_of(values[remaining])
        layers.append([names[index] for index in remaining[layer]])
        remaining = np.delete(remaining, layer)
    return layers


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
