"""Which points are worth having when several objectives pull apart. Every objective is to be minimised."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Point = Sequence[float]
Name = TypeVar("Name", bound=Hashable)


def dominates(left: Point, right: Point) -> bool:
    """Tell whether `left` is nowhere worse than `right` and somewhere better."""
    return all(a <= b for a, b in zip(left, right, strict=True)) and tuple(left) != tuple(right)


def front(points: Mapping[Name, Point]) -> list[Name]:
    """Return the names of the points that none dominates, by the first objective; equal points all stay."""
    kept = [name for name, point in points.items() if not any(dominates(other, point) for other in points.values())]
    return sorted(kept, key=lambda name: tuple(points[name]))


def hypervolume(points: Sequence[Point], worst: Point) -> float:
    """Return the volume that the points dominate up to the corner `worst`; a point beyond it adds nothing.

    Sweeps the last objective and adds slab by slab the volume of the others (Zitzler's slicing): exact, meant for the
    two or three objectives and the hundreds of points of a search.
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
