"""Rank correlations by hand: with ties, of what is constant, and of what is no order."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr.rank_correlation import kendall_tau, share_in_order, spearman

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12)


@pytest.mark.parametrize(
    ("first", "second", "rho", "tau"),
    [
        ([1, 2, 3], [10, 200, 3000], 1.0, 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0, -1.0),
        # Ranks 1 2 3 4 against 2 1 4 3: 1 - 6 * 4 / (4 * 15); four of six pairs in the same order, two in the other.
        ([1, 2, 3, 4], [5, 4, 8, 7], 0.6, 2 / 6),
        # Ranks 1.5 1.5 3 against 1 2 3: 1.5 / sqrt(1.5 * 2); two of three pairs, of which two and three are untied.
        ([1, 1, 3], [1, 2, 3], 1.5 / math.sqrt(3), 2 / math.sqrt(2 * 3)),
    ],
)
def test_rank_correlations_by_hand(first: list[float], second: list[float], rho: float, tau: float) -> None:
    assert spearman(first, second) == pytest.approx(rho)
    assert kendall_tau(first, second) == pytest.approx(tau)


@pytest.mark.parametrize("correlation", [spearman, kendall_tau])
@pytest.mark.parametrize(
    ("first", "second"), [([1.0, 1.0], [1.0, 2.0]), ([1.0, 2.0], [3.0, 3.0]), ([1.0], [2.0]), ([], [])]
)
def test_what_is_the_same_for_all_has_no_order(correlation, first: list[float], second: list[float]) -> None:
    assert correlation(first, second) is None


@pytest.mark.parametrize("correlation", [spearman, kendall_tau])
@pytest.mark.parametrize(
    ("first", "second", "constraint"),
    [
        ([1.0, 2.0], [1.0], "as many of both, got 2 and 1"),
        ([1.0, math.nan], [1.0, 2.0], "finite values, got nan"),
        ([1.0, 2.0], [1.0, math.inf], "finite values, got inf"),
    ],
)
def test_what_cannot_be_ranked_is_refused(
    correlation, first: list[float], second: list[float], constraint: str
) -> None:
    with pytest.raises(ValueError, match=constraint):
        correlation(first, second)


@pytest.mark.parametrize("correlation", [spearman, kendall_tau])
@given(VALUES)
def test_it_is_symmetric_and_one_of_a_thing_with_itself(correlation, values: list[float]) -> None:
    backwards = values[::-1]
    assert correlation(values, backwards) == pytest.approx(correlation(backwards, values), nan_ok=True)
    if len(set(values)) > 1:
        assert correlation(values, values) == pytest.approx(1.0)
        assert -1.0 - 1e-9 <= correlation(values, backwards) <= 1.0 + 1e-9


def test_share_of_pairs_in_order_is_what_tau_counts() -> None:
    # Of three pairs one is the other way round.
    tau = kendall_tau([1.0, 2.0, 3.0], [1.0, 3.0, 2.0])
    assert tau is not None
    assert share_in_order(tau) == pytest.approx(2 / 3)
