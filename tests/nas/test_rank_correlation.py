"""Rank correlation: by hand, by its definition, and what its interval keeps."""

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.rank_correlation import Ranking, interval, kendall_tau, ranking, top_k_in_first

# Small whole numbers: ties happen.
VALUES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8)


def by_definition(first: list[int], second: list[int]) -> float | None:
    """Tau-b pair by pair."""
    right = wrong = tied_first = tied_second = 0
    for (a, b), (c, d) in itertools.combinations(zip(first, second, strict=True), 2):
        right += (a - c) * (b - d) > 0
        wrong += (a - c) * (b - d) < 0
        tied_first += a == c
        tied_second += b == d
    pairs = math.comb(len(first), 2)
    untied = (pairs - tied_first) * (pairs - tied_second)
    return (right - wrong) / math.sqrt(untied) if untied else None


@pytest.mark.parametrize(
    ("first", "second", "tau"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        # Six pairs, one of them put wrong.
        ([1, 2, 3, 4], [1, 2, 4, 3], 4 / 6),
        # Five pairs untied in the one and four in the other; four put right, none wrong.
        ([1, 1, 2, 3], [1, 1, 2, 2], 4 / math.sqrt(5 * 4)),
        ([1, 1, 1], [1, 2, 3], None),
        ([1], [2], None),
    ],
)
def test_tau_by_hand(first: list[float], second: list[float], tau: float | None) -> None:
    assert kendall_tau(first, second) == (None if tau is None else pytest.approx(tau))


@given(VALUES)
def test_tau_is_its_definition_and_symmetric(pairs: list[tuple[int, int]]) -> None:
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    expected = by_definition(first, second)
    assert kendall_tau(first, second) == (None if expected is None else pytest.approx(expected))
    assert kendall_tau(first, second) == kendall_tau(second, first)
    if expected is not None:
        assert kendall_tau([-value for value in first], second) == pytest.approx(-expected)


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(ValueError, match="as many of both, got 2 and 1"):
        kendall_tau([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="finite values, got nan"):
        kendall_tau([1.0, 2.0], [1.0, math.nan])


@settings(max_examples=20, deadline=None)
@given(VALUES)
def test_an_interval_is_ordered_and_within_bounds(pairs: list[tuple[int, int]]) -> None:
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = interval(first, second, resamples=40)
    assert (found is None) == (kendall_tau(first, second) is None)
    if found is not None:
        low, high = found
        assert -1 <= low <= high <= 1 + 1e-9


def test_an_interval_depends_on_the_seed_alone_and_narrows_with_more_networks() -> None:
    rng = random.Random(0)

    def noisy(count: int) -> tuple[list[float], list[float]]:
        truth = [rng.gauss(0, 1) for _ in range(count)]
        return truth, [value + rng.gauss(0, 0.7) for value in truth]

    few, many = noisy(10), noisy(60)
    assert interval(*few, resamples=200, seed=1) == interval(*few, resamples=200, seed=1)
    assert interval(*few, resamples=200, seed=1) != interval(*few, resamples=200, seed=2)
    widths = [high - low for low, high in (interval(*each, resamples=200) or (0.0, 0.0) for each in (few, many))]
    assert 0 < widths[1] < widths[0]
    low, high = interval(*many, resamples=200) or (1.0, -1.0)
    assert low < (kendall_tau(*many) or 0) < high


def test_a_perfect_score_is_certain() -> None:
    truth = [25.0, 26.0, 27.0, 28.0, 29.0, 30.0, 31.0]
    assert ranking("itself", truth, truth, 1.0) == Ranking("itself", 1.0, 1.0, 1.0, 3, 1.0)


def test_a_constant_score_says_nothing() -> None:
    found = ranking("constant", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [0.0] * 7, 0.0)
    # Six of seven equal ones are the six worst: of the best three it finds two.
    assert found == Ranking("constant", None, None, None, 2, 0.0)


@pytest.mark.parametrize(
    ("truth", "score", "k", "first", "expected"),
    [
        ([9, 8, 7, 1, 2, 3], [6, 5, 4, 3, 2, 1], 3, 3, 3),
        ([9, 8, 7, 1, 2, 3], [1, 2, 3, 4, 5, 6], 3, 3, 0),
        ([9, 8, 7, 1, 2, 3], [1, 2, 3, 4, 5, 6], 3, 4, 1),
        # The second best is two networks: either will do, and both are not three.
        ([9, 8, 8, 1], [4, 1, 3, 2], 2, 2, 2),
        ([9, 8, 8, 1], [4, 3, 2, 1], 2, 3, 2),
        ([9, 8], [1, 2], 3, 6, 2),
        ([9, 8], [1, 2], 0, 6, 0),
        ([], [], 3, 6, 0),
    ],
)
def test_the_best_among_the_first_by_hand(
    truth: list[float], score: list[float], k: int, first: int, expected: int
) -> None:
    assert top_k_in_first(truth, score, k, first) == expected
