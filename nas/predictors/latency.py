"""How long a searched network will take on this device, learned from the networks measured so far.

A prediction filters and orders; a runtime that is reported is always measured.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search_spaces.architecture import Architecture
from search_spaces.fast_work import work
from sr.errors import InputError
from sr.lr_size import LrSize
from sr.measure.latency_model import USUAL, LatencyModel, Work
from sr.rank_correlation import kendall_tau, share_in_order, spearman

Floats = NDArray[np.float64]

# The error is judged on so many networks, each predicted by a fit that did not see it; with more of them by parts.
_PARTS = 20
# Fewer say nothing of an error.
_FEWEST_JUDGED = 3
# What differs by a few such shares of its work says nothing of another network any more.
_NEAR = 0.15
# As so many measured networks that the model is right about.
_TRUSTED = 0.5


@dataclass(frozen=True)
class Sample:
    """A network that was measured.

    Attributes:
        architecture: Which.
        runtime_ms: Its median.
        reference_ms: What the reference took in the same rounds; None where it was not timed.

    Raises:
        InputError: For a time that is not above 0.
    """

    architecture: Architecture
    runtime_ms: float
    reference_ms: float | None = None

    def __post_init__(self) -> None:
        for ms in (self.runtime_ms, self.reference_ms):
            if ms is not None and not (math.isfinite(ms) and ms > 0):
                raise InputError(f"a runtime is a number of milliseconds above 0, got {ms} for {self}")


@dataclass(frozen=True)
class PredictionError:
    """How predictions of networks differ from what was measured, each network unseen by the fit that predicts it.

    Attributes:
        networks: How many.
        median: Of the relative errors.
        p90: Their 90th percentile.
        spearman: Spearman's rank correlation; None where all are the same.
        tau: Kendall's.
    """

    networks: int
    median: float
    p90: float
    spearman: float | None
    tau: float | None


@dataclass(frozen=True)
class LatencyPredictor:
    """Predicts the runtime of architectures for one LR picture on one device.

    Attributes:
        lr_size: Height and width of the LR picture.
        known: What is known of the device before any network of this study, such as from an earlier one.
        model: What the study's networks made of it.
        measured: The work and the milliseconds of those, and of what was probed.
        unseen: The error on networks that a fit did not see; None where there are too few to state one.
        probed: The work and the milliseconds of networks that were measured to know the device by; learned from always.
    """

    lr_size: LrSize
    known: LatencyModel = USUAL
    model: LatencyModel = USUAL
    measured: tuple[tuple[Work, float], ...] = ()
    unseen: PredictionError | None = None
    probed: tuple[tuple[Work, float], ...] = ()

    @property
    def is_calibrated(self) -> bool:
        """Whether any network was ever measured on this device: before that predictions are no milliseconds."""
        return self.model.networks > 0

    def predict(self, architecture: Architecture) -> float:
        """Return the predicted median in milliseconds."""
        return self._predicted(work(architecture, self.lr_size))

    def learned(self, samples: Sequence[Sample]) -> "LatencyPredictor":
        """Return what predicts by these measured networks, all anew; their runtimes are brought to one speed."""
        works = [work(sample.architecture, self.lr_size) for sample in samples]
        measured = list(zip(works, at_one_speed(samples), strict=True))
        return replace(self._fitted(measured), unseen=self._error(measured))

    def _fitted(self, measured: Sequence[tuple[Work, float]]) -> "LatencyPredictor":
        everything = (*self.probed, *measured)
        model = self.known.fitted([each for each, _ in everything], [ms for _, ms in everything])
        return replace(self, model=model, measured=everything)

    def _predicted(self, wanted: Work) -> float:
        """Return what the model says, moved by how far it was off for networks that do nearly the same work.

        That is a kernel regression of the logarithm (Nadaraya, Watson, 1964), shrunk towards the model.
        """
        costs = self.model.costs_of(wanted)
        total = float(costs.sum())
        if not self.measured:
            return total
        theirs, totals, off = self._residuals
        distances = np.abs(theirs - costs).sum(axis=1) / np.maximum(totals, total)
        kernel = np.exp(-((distances / _NEAR) ** 2))
        return total * math.exp(float(kernel @ off) / (float(kernel.sum()) + _TRUSTED))

    @cached_property
    def _residuals(self) -> tuple[Floats, Floats, Floats]:
        """Return what the model says of measured networks (n, 10), its sums (n,), and how far off, in logarithms."""
        costs = np.stack([self.model.costs_of(work) for work, _ in self.measured])
        totals = costs.sum(axis=1)
        return costs, totals, np.log(np.array([ms for _, ms in self.measured]) / totals)

    def _error(self, measured: Sequence[tuple[Work, float]]) -> PredictionError | None:
        """Return the error on networks left out in turn."""
        if len(measured) < _FEWEST_JUDGED:
            return None
        guesses = [0.0] * len(measured)
        for part in range(min(_PARTS, len(measured))):
            seen = self._fitted([each for index, each in enumerate(measured) if index % _PARTS != part])
            for index in range(part, len(measured), _PARTS):
                guesses[index] = seen._predicted(measured[index][0])
        return prediction_error(guesses, [ms for _, ms in measured])


def at_one_speed(samples: Sequence[Sample]) -> list[float]:
    """Return the runtimes as they were at the speed of the median reference; those without one stay as they are."""
    references = [sample.reference_ms for sample in samples if sample.reference_ms is not None]
    usual = statistics.median(references) if references else None
    return [
        sample.runtime_ms * (usual / sample.reference_ms if usual and sample.reference_ms else 1.0)
        for sample in samples
    ]


def prediction_error(predicted: Sequence[float], measured: Sequence[float]) -> PredictionError:
    """Return how predictions differ from what was measured, one of each per network."""
    errors = [abs(guess / truth - 1) for guess, truth in zip(predicted, measured, strict=True)]
    median, p90 = (float(np.quantile(errors, share)) for share in (0.5, 0.9))
    return PredictionError(len(errors), median, p90, spearman(predicted, measured), kendall_tau(predicted, measured))


def describe(error: PredictionError | None) -> str:
    """Say in one sentence how far predicted runtimes were right."""
    if error is None:
        return "No predicted runtime was compared with a measured one."
    pairs = ""
    if error.tau is not None:
        pairs = f"; of two networks they named the faster in {100 * share_in_order(error.tau):.0f} % of cases"
    return (
        f"Predicted runtimes were off by {100 * error.median:.1f} % in the median and by at most "
        f"{100 * error.p90:.1f} % in nine of ten cases, on {error.networks} networks that the prediction had not "
        f"seen{pairs}."
    )
