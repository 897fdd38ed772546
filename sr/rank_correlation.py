"""Whether two quantities put the same things in the same order: Spearman's and Kendall's rank correlations."""

import math
from collections.abc import Sequence
from typing import Literal


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, -1 to 1, tied values sharing the mean of their ranks.

    Returns:
        None where either is the same for all.

    Raises:
        ValueError: Where they are not as many, or a value is not finite.
    """
    return _correlation("spearmanr", first, second)


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Kendall's tau-b (Kendall, Biometrika 1945), -1 to 1, which ties lower.

    Returns:
        None where either is the same for all.

    Raises:
        ValueError: Where they are not as many, or a value is not finite.
    """
    return _correlation("kendalltau", first, second)


def share_in_order(tau: float) -> float:
    """Return of how many pairs two quantities say the same which is more, 0 to 1, where no two values are tied.

    tau: Kendall's, which is the share of such pairs less that of the others.
    """
    return (1 + tau) / 2


def _correlation(
    which: Literal["spearmanr", "kendalltau"], first: Sequence[float], second: Sequence[float]
) -> float | None:
    if len(first) != len(second):
        raise ValueError(f"a rank correlation takes as many of both, got {len(first)} and {len(second)}")
    if wrong := [value for value in (*first, *second) if not math.isfinite(value)]:
        raise ValueError(f"a rank correlation takes finite values, got {wrong[0]}")
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    # Importing it takes most of a second, in each process that starts.
    from scipy import stats

    return float(getattr(stats, which)(first, second).statistic)
