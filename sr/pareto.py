"""Which points are worth having when several objectives pull apart. Every objective is to be minimised."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Point = Sequence[float]
Name = TypeVar("Name", bound=Hashable)


def dominates(left: Point, right: Point) -> bool:
    """Return whether `left` is nowhere worse than `right` and somewhere better."""
    return all(a <= b for a, b in zip(left, right, strict=True)) and tuple(left) != tuple(right)


def front(points: Mapping[Name, Point]) -> list[Name]:
    """Return the names of the points that none dominates, by the first objective; equal points all stay."""
    kept = [name for name, point in points.items() if not any(dominates(other, point) for other in points.values())]
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
    """Return the names layer by layer: the front, the front of what remains, and so on (Deb's fast sort)."""
    beats: dict[Name, list[Name]] = {name: [] for name in points}
    beaten_by = dict.fromkeys(points, 0)
    for name, point in points.items():
        for other, behind in points.items():
            if dominates(point, behind):
                beats[name].append(other)
                beaten_by[other] += 1
    layers: list[list[Name]] = []
    layer = [name for name, count in beaten_by.items() if count == 0]
    while layer:
        layers.append(layer)
        following: list[Name] = []
        for behind_name in (other for name in layer for other in beats[name]):
            beaten_by[behind_name] -= 1
            if beaten_by[behind_name] == 0:
                following.append(behind_name)
        layer = following
    return layers


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
