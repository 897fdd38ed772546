import itertools
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr.pareto import crowding, dominates, front, hypervolume, non_dominated_sort

# Small whole numbers: equal coordinates happen, and volumes are exact.
COORDINATE = st.integers(0, 8).map(float)


def points_of(objectives: int, most: int = 6) -> st.SearchStrategy[list[tuple[float, ...]]]:
    return st.lists(st.tuples(*[COORDINATE] * objectives), max_size=most)


POINTS = st.integers(1, 3).flatmap(points_of)
THREE = st.tuples(COORDINATE, COORDINATE, COORDINATE)


def by_inclusion_and_exclusion(points: list[tuple[float, ...]], worst: tuple[float, ...]) -> float:
    """The volume of the union of the boxes from each point to `worst`, by the definition of a union."""
    total = 0.0
    for size in range(1, len(points) + 1):
        for chosen in itertools.combinations(points, size):
            corner = [max(values) for values in zip(*chosen, strict=True)]
            box = 1.0
            for low, high in zip(corner, worst, strict=True):
                box *= max(0.0, high - low)
            total += box if size % 2 else -box
    return total


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ((1, 2), (1, 3), True),
        ((1, 2), (2, 3), True),
        ((1, 2), (1, 2), False),
        ((1, 3), (2, 2), False),
        ((2, 3), (1, 2), False),
    ],
)
def test_dominance_by_hand(left: tuple[float, ...], right: tuple[float, ...], expected: bool) -> None:
    assert dominates(left, right) is expected


@given(THREE, THREE, THREE)
def test_dominance_is_a_strict_order(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> None:
    assert not dominates(a, a)
    assert not (dominates(a, b) and dominates(b, a))
    if dominates(a, b) and dominates(b, c):
        assert dominates(a, c)


def test_a_list_and_a_tuple_of_the_same_numbers_are_equal_points() -> None:
    assert not dominates([1.0, 2.0], (1.0, 2.0))


def test_points_of_different_objectives_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        dominates((1, 2), (1, 2, 3))


def test_a_front_by_hand() -> None:
    points = {"slow": (9.0, 1.0), "bad": (9.0, 2.0), "fast": (1.0, 5.0), "middle": (4.0, 3.0), "twin": (4.0, 3.0)}
    assert front(points) == ["fast", "middle", "twin", "slow"]
    assert front({}) == []


@given(POINTS)
def test_a_front_dominates_all_the_rest(points: list[tuple[float, ...]]) -> None:
    named = dict(enumerate(points))
    kept = front(named)
    assert [named[name] for name in kept] == sorted(named[name] for name in kept)
    for name, point in named.items():
        beaten = any(dominates(named[other], point) for other in kept)
        assert beaten is (name not in kept)


def test_hypervolumes_by_hand() -> None:
    assert hypervolume([], (4.0, 4.0)) == 0
    assert hypervolume([(1.0,), (3.0,)], (4.0,)) == 3
    assert hypervolume([(1.0, 3.0), (2.0, 1.0)], (4.0, 4.0)) == 3 * 1 + 2 * 2
    assert hypervolume([(1.0, 1.0, 1.0)], (2.0, 3.0, 4.0)) == 1 * 2 * 3


def test_a_point_beyond_the_corner_adds_nothing() -> None:
    inside = [(1.0, 1.0)]
    assert (
        hypervolume([*inside, (0.0, 9.0), (2.0, 0.0), (4.0, 4.0)], (2.0, 2.0)) == hypervolume(inside, (2.0, 2.0)) == 1
    )


@given(POINTS)
def test_hypervolume_is_the_volume_of_the_union_of_boxes(points: list[tuple[float, ...]]) -> None:
    worst = (6.0,) * (len(points[0]) if points else 2)
    assert hypervolume(points, worst) == by_inclusion_and_exclusion(points, worst)


@given(points_of(3), st.randoms(use_true_random=False))
def test_hypervolume_does_not_see_the_order(points: list[tuple[float, ...]], random: Random) -> None:
    shuffled = random.sample(points, len(points))
    assert hypervolume(points, (7.0,) * 3) == hypervolume(shuffled, (7.0,) * 3)


@given(points_of(3), THREE, THREE)
def test_a_dominated_point_adds_nothing(
    points: list[tuple[float, ...]], point: tuple[float, ...], behind: tuple[float, ...]
) -> None:
    dominated = tuple(a + b for a, b in zip(point, behind, strict=True))
    worst = (9.0,) * 3
    assert hypervolume([*points, point, dominated], worst) == hypervolume([*points, point], worst)


@given(points_of(3), THREE)
def test_a_point_never_takes_volume_away(points: list[tuple[float, ...]], point: tuple[float, ...]) -> None:
    worst = (7.0,) * 3
    assert hypervolume([*points, point], worst) >= hypervolume(points, worst)


@given(points_of(3))
def test_the_front_has_all_of_the_volume(points: list[tuple[float, ...]]) -> None:
    named = dict(enumerate(points))
    worst = (7.0,) * 3
    assert hypervolume([named[name] for name in front(named)], worst) == hypervolume(points, worst)


def test_layers_by_hand() -> None:
    points = {"fast": (1.0, 5.0), "bad": (9.0, 2.0), "worst": (9.0, 6.0), "slow": (8.0, 1.0), "twin": (8.0, 1.0)}
    assert non_dominated_sort(points) == [["fast", "slow", "twin"], ["bad"], ["worst"]]
    assert non_dominated_sort({}) == []


@given(POINTS)
def test_layers_are_the_fronts_of_what_remains(points: list[tuple[float, ...]]) -> None:
    left = dict(enumerate(points))
    for layer in non_dominated_sort(left):
        assert sorted(layer) == sorted(front(left))
        left = {name: point for name, point in left.items() if name not in layer}
    assert left == {}


def test_more_than_three_objectives_are_not_sorted() -> None:
    with pytest.raises(ValueError, match="three objectives at the most, got 4"):
        non_dominated_sort({"a": (1.0,) * 4})


def test_crowding_by_hand() -> None:
    points = {"a": (0.0, 10.0, 3.0), "b": (1.0, 8.0, 3.0), "c": (6.0, 5.0, 3.0), "d": (10.0, 0.0, 3.0)}
    distances = crowding(points)
    assert distances == {"a": math.inf, "b": pytest.approx(0.6 + 0.5), "c": pytest.approx(0.9 + 0.8), "d": math.inf}
    assert crowding({"a": (1.0,), "b": (1.0,)}) == {"a": 0.0, "b": 0.0}
    assert crowding({}) == {}


@given(points_of(3))
def test_crowding_does_not_see_units(points: list[tuple[float, ...]]) -> None:
    named = dict(enumerate(points))
    scaled = {name: tuple(4 * value for value in point) for name, point in named.items()}
    assert crowding(scaled) == crowding(named)
