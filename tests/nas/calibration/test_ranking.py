"""What a score is worth: its interval, the best among its first, and how that is said."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.calibration.ranking import Ranking, interval, ranking, top_k_in_first
from sr.rank_correlation import kendall_tau

# Small whole numbers: ties happen.
VALUES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8)


@settings(max_examples=20, deadline=None)
@given(VALUES)
def test_interval_is_ordered_and_within_bounds(pairs: list[tuple[int, int]]) -> None:
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = interval(first, second, resamples=40)
    assert (found is None) == (kendall_tau(first, second) is None)
    if found is not None:
        low, high = found
        assert -1 <= low <= high <= 1 + 1e-9


@settings(max_examples=20, deadline=None)
@given(VALUES, st.integers(0, 99))
def test_interval_is_that_of_the_taus_of_each_draw(pairs: list[tuple[int, int]], seed: int) -> None:
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = interval(first, second, resamples=40, seed=seed)
    drawn = np.random.default_rng(seed).integers(len(first), size=(40, len(first))) if first else []
    taus = [kendall_tau([first[each] for each in draw], [second[each] for each in draw]) for draw in drawn]
    known = [tau for tau in taus if tau is not None]
    if found is not None:
        assert found == pytest.approx(tuple(np.quantile(known, [0.025, 0.975])))


def test_interval_depends_on_the_seed_alone_and_narrows_with_more_networks() -> None:
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


def test_perfect_score_is_certain() -> None:
    truth = [25.0, 26.0, 27.0, 28.0, 29.0, 30.0, 31.0]
    found = ranking("itself", truth, truth, 1.0)
    assert [found.tau, found.low, found.high] == pytest.approx([1.0, 1.0, 1.0])
    assert (found.name, found.top3_in_first6, found.cost_share) == ("itself", 3, 1.0)


def test_constant_score_says_nothing() -> None:
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
def test_best_among_the_first_are_those_counted_by_hand(
    truth: list[float], score: list[float], k: int, first: int, expected: int
) -> None:
    assert top_k_in_first(truth, score, k, first) == expected


def test_score_and_truth_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        top_k_in_first([1.0, 2.0], [1.0], 1, 1)
    with pytest.raises(ValueError, match="as many of both, got 2 and 1"):
        ranking("short", [1.0, 2.0], [1.0], 0.0)


def test_ranking_is_said_in_one_line() -> None:
    found = Ranking("rung 0", 0.75, 0.5, 0.875, 2, 0.0625)
    assert found.describe() == (
        "rung 0: tau 0.75 (0.50 to 0.88), 2 of the best 3 among its first 6, 6.2 % of a full training"
    )
    assert "rung 0: no tau, all the same, 2 of" in Ranking("rung 0", None, None, None, 2, 0.0).describe()


@pytest.mark.parametrize(("tau", "poor"), [(None, True), (0.49, True), (0.5, False), (1.0, False)])
def test_score_below_half_of_all_is_poor(tau: float | None, poor: bool) -> None:
    assert Ranking("each", tau, tau, tau, 0, 0.0).is_poor is poor
