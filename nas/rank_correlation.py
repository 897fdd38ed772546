"""Whether a cheap score puts networks in the order that full training does, and how sure that is from a few networks.

Spearman's correlation is `baselines.correlation`'s; Kendall's counts pairs put right, which is what a search lives on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ranking:
    """How well a cheap score ranks networks as full training does.

    tau: Kendall's tau-b, -1 to 1, with the interval from `low` to `high` that holds it with 95 %; None where the score
    or the truth is the same for all. top3_in_first6: how many of the best three the score puts among its first six.
    cost_share: what the score of one network costs, as a share of its full training.
    """

    name: str
    tau: float | None
    low: float | None
    high: float | None
    top3_in_first6: int
    cost_share: float


def ranking(name: str, truth: Sequence[float], score: Sequence[float], cost_share: float, *, seed: int = 0) -> Ranking:
    """Judge a score; more is better in `truth` and `score`, which hold the same networks in the same order."""
    low, high = interval(truth, score, seed=seed) or (None, None)
    return Ranking(name, kendall_tau(truth, score), low, high, top_k_in_first(truth, score, 3, 6), cost_share)


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Kendall's tau-b (Kendall, Biometrika 1945), which ties lower; None where either is the same for all.

    Raises ValueError where they are not as many, or a value is not finite.
    """
    return tau_of(orders(first, second))


def interval(
    first: Sequence[float], second: Sequence[float], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """Return the percentile bootstrap interval of Kendall's tau-b over networks drawn with replacement, of 95 %.

    The same seed gives the same interval. Draws in which either is the same for all tell nothing and are left out;
    None where all do.
    """
    ordered = orders(first, second)
    if tau_of(ordered) is None:
        return None
    drawn = np.random.default_rng(seed).integers(len(first), size=(resamples, len(first)))
    taus = [tau for draw in drawn if (tau := tau_of(ordered[:, draw[:, None], draw])) is not None]
    if not taus:
        return None
    low, high = np.quantile(taus, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def orders(first: Sequence[float], second: Sequence[float]) -> Floats:
    """Return (2, n, n): for each pair of networks 1, 0 or -1 as the one is above, level with or below the other."""
    if len(first) != len(second):
        raise ValueError(f"a rank correlation takes as many of both, got {len(first)} and {len(second)}")
    values = np.array([first, second], dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"a rank correlation takes finite values, got {values[~np.isfinite(values)][0]}")
    return np.sign(values[:, :, None] - values[:, None, :])


def tau_of(ordered: Floats) -> float | None:
    """Return tau-b of (2, n, n) orders: pairs put right less those put wrong, over those untied in either."""
    untied = np.abs(ordered).sum(axis=(1, 2))
    if not untied.all():
        return None
    return float((ordered[0] * ordered[1]).sum() / np.sqrt(untied[0] * untied[1]))


def top_k_in_first(truth: Sequence[float], score: Sequence[float], k: int, first: int) -> int:
    """Return how many of the k truly best are among the `first` best by score; more is better in both.

    Among equal scores the truly worse come first, so that a score which cannot tell them apart earns nothing by it.
    Raises ValueError where they are not as many.
    """
    pairs = sorted(zip(truth, score, strict=True), key=lambda pair: (-pair[1], pair[0]))
    best = sorted(truth, reverse=True)[:k]
    return min(k, sum(value >= best[-1] for value, _ in pairs[:first])) if best else 0
