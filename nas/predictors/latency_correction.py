"""By what factor a network takes longer than the sum of its entries, learned from networks that were measured."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nas.predictors.ridge import Ridge, fit_ridge
from search_spaces.architecture import Architecture

# With fewer networks than these a correction is one factor.
_FEWEST_NETWORKS = 6
# Of the ridge, as so many samples that say that the factor is the same for all.
_PENALTY = 1.0


@dataclass(frozen=True)
class Sums:
    """What the entries of a network take together in the memory format that is faster for it, in milliseconds."""

    total_ms: float
    blocks_ms: float
    aggregation_ms: float


@dataclass(frozen=True)
class Correction:
    """The logarithm of measured by predicted: `level`, or what a ridge regression says of the features.

    Attributes:
        level: The logarithm for all networks, where there is no ridge.
        low: The least logarithm that was seen in the samples; a correction never goes beyond.
        high: The greatest one.
        ridge: From features to the logarithm.
    """

    level: float
    low: float
    high: float
    ridge: Ridge | None = None

    def factor(self, features: Sequence[float]) -> float:
        """Return what to multiply the sum of the entries with; features: as of `correction_features`."""
        expected = self.level if self.ridge is None else self.ridge.predict(np.array(features))
        return math.exp(min(max(expected, self.low), self.high))


def correction_features(architecture: Architecture, sums: Sums) -> list[float]:
    """Return what says how far a network's runtime lies from the sum of its entries."""
    built = architecture.canonical
    return [
        math.log(sums.total_ms),
        math.log1p(len(built.blocks)),
        sums.blocks_ms / sums.total_ms,
        sums.aggregation_ms / sums.total_ms,
        # Whether there are large tensors at HR size.
        float(built.upsampler != "one_step"),
    ]


def one_factor(_rows: Sequence[Sequence[float]], log_ratios: Sequence[float]) -> Correction:
    """Return the correction by the median of the logarithms of measured by predicted, whatever the features (n, p)."""
    return Correction(statistics.median(log_ratios), min(log_ratios), max(log_ratios))


def factor_by_features(rows: Sequence[Sequence[float]], log_ratios: Sequence[float]) -> Correction:
    """Fit a ridge to features (n, p) and logarithms of measured by predicted (n,); one factor where they are few."""
    simple = one_factor(rows, log_ratios)
    if len(rows) < _FEWEST_NETWORKS:
        return simple
    ridge = fit_ridge(np.array(rows), np.array(log_ratios), np.full(len(rows[0]), _PENALTY))
    return Correction(simple.level, simple.low, simple.high, ridge)
