"""Whether a cheap score puts networks in the order that full training does, and how sure that is from a few networks.

Kendall's tau counts pairs put right, which is what a search lives on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sr.rank_correlation import kendall_tau

_RESAMPLES = 2000
_CONFIDENCE = 0.95
# A score below this is not worth ordering candidates by.
_POOR_TAU = 0.5


@dataclass(frozen=True)
class Ranking:
    """How well a cheap score ranks networks as full training does.

    Attributes:
        name: Of the score.
        tau: Kendall's tau-b, -1 to 1; None where the score or the truth is the same for all.
        low: The lower end of the interval that holds tau with 95 %.
        high: Its upper end.
        top3_in_first6: How many of the best three the score puts among its first six.
        cost_share: What the score of one network costs, as a share of its full training.
    """

    name: str
    tau: float | None
    low: float | None
    high: float | None
    top3_in_first6: int
    cost_share: float

    @property
    def is_poor(self) -> bool:
        """Whether the score is not worth ordering candidates by."""
        return self.tau is None or self.tau < _POOR_TAU

    def describe(self) -> str:
        """Say what the score is worth."""
        tau = "no tau, all the same" if self.tau is None else f"tau {self.tau:.2f} ({self.low:.2f} to {self.high:.2f})"
        return (
            f"{self.name}: {tau}, {self.top3_in_first6} of the best 3 among its first 6, "
            f"{100 * self.cost_share:.1f} % of a full training"
        )


def ranking(name: str, truth: Sequence[float], score: Sequence[float], cost_share: float, *, seed: int = 0) -> Ranking:
    """Judge a score.

    Args:
        name: Of the score.
        truth: What each network reached, more is better.
        score: What the score says of the same networks in the same order, more is better.
        cost_share: What it costs, as a share of a full training.
        seed: Of the interval's resampling.
    """
    low, high = interval(truth, score, seed=seed) or (None, None)
    return Ranking(name, kendall_tau(truth, score), low, high, top_k_in_first(truth, score, 3, 6), cost_share)


def interval(
    first: Sequence[float], second: Sequence[float], *, resamples: int = _RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """Return the percentile bootstrap interval of Kendall's tau-b over networks drawn with replacement, of 95 %.

    The same seed gives the same interval. Draws in which either is the same for all say nothing and are left out.

    Returns:
        The lower and the upper end; None where all draws are left out.
    """
    if kendall_tau(first, second) is None:
        return None
    drawn = np.random.default_rng(seed).integers(len(first), size=(resamples, len(first)))
    taus = _resampled_taus(first, second, drawn)
    if not len(taus):
        return None
    low, high = np.quantile(taus, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    return float(low), float(high)


def _resampled_taus(first: Sequence[float], second: Sequence[float], drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return Kendall's tau-b of each draw (r, n) of indices in which neither is the same for all.

    All at once from the order of each pair and how often both were drawn, in a hundredth of the time of r calls.
    """
    orders = [np.sign(np.subtract.outer(values, values)) for values in (np.array(first), np.array(second))]
    times = np.stack([np.bincount(draw, minlength=len(first)) for draw in drawn])

    def over_pairs(of: NDArray[np.float64]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = np.einsum("ri,ij,rj->r", times, of, times, optimize=True)
        return sums

    untied = np.sqrt(over_pairs(np.abs(orders[0])) * over_pairs(np.abs(orders[1])))
    agreeing = over_pairs(orders[0] * orders[1])
    result: NDArray[np.float64] = agreeing[untied > 0] / untied[untied > 0]
    return result


def top_k_in_first(truth: Sequence[float], score: Sequence[float], k: int, first: int) -> int:
    """Return how many of the k truly best are among the `first` best by score; more is better in both.

    Among equal scores the truly worse come first, so that a score which cannot separate them earns nothing by it.

    Raises:
        ValueError: Where they are not as many.
    """
    pairs = sorted(zip(truth, score, strict=True), key=lambda pair: (-pair[1], pair[0]))
    best = sorted(truth, reverse=True)[:k]
    return min(k, sum(value >= best[-1] for value, _ in pairs[:first])) if best else 0
