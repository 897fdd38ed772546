"""How long networks take on one device by what their operators have to do, learned from a few that were measured.

A runtime is taken to be a sum: arithmetic of each class of convolution over a rate of its own, memory moved over a
bandwidth, and a cost per operator. All of it is non-negative and fitted to the networks measured so far, so that about
ten of them know every other one, as in HELP (Lee et al., NeurIPS 2021). Nothing is built or run for a prediction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from sr.errors import InputError
from sr.measure.operator_work import Operator

# Engines pad channels to what a vector holds; which of these one does is seen from its runtimes.
CHANNEL_STEPS = (1, 4, 8, 16)
# Arithmetic of three classes of convolution, elements moved at LR size by other operators and beyond it, elements that
# convolutions move at LR size and beyond it, elements of convolutions between the steps, operators; and the arithmetic
# of the first class without what fills the channels up, for engines take some of it in smaller steps.
_FEATURES = 10
# The ridge towards what was known before, as so many measured networks that say it.
_PENALTY = 0.02
# With fewer networks the channel step stays what it was, and with more where another errs hardly less: networks whose
# widths are steps of both do not tell.
_FEWEST_FOR_STEP = 4
_CLEARLY_LESS = 0.7
_FOLDS = 5

# Per channel step of `CHANNEL_STEPS` a row of _FEATURES; what several parts of a network have to do adds up.
Work = NDArray[np.float64]


def work_of(operators: Mapping[Operator, int], lr_pixels: int) -> Work:
    """Return what operators have to do: giga multiply-adds, tens of millions of elements, and hundreds of calls.

    Args:
        operators: Each with how often it is called.
        lr_pixels: Of the LR picture; what writes more positions works beyond LR size.

    Returns:
        Shape (len(CHANNEL_STEPS), 10).
    """
    return np.stack([_features(operators, lr_pixels, step) for step in CHANNEL_STEPS])


def _features(operators: Mapping[Operator, int], lr_pixels: int, step: int) -> NDArray[np.float64]:
    found = np.zeros(_FEATURES)
    for each, calls in operators.items():
        beyond, moved = each.pixels > lr_pixels, calls * (each.written + each.read) / 1e7
        if each.kind == "elementwise":
            found[4 if beyond else 3] += moved
        else:
            found[("spatial", "pointwise", "grouped").index(each.kind)] += calls * each.multi_adds(step) / 1e9
            found[9] += calls * each.multi_adds() / 1e9 if each.kind == "spatial" else 0.0
            found[6 if beyond else 5] += moved
            found[7] += moved if each.is_between(step) else 0.0
        found[8] += calls / 100
    return found


@dataclass(frozen=True)
class LatencyModel:
    """What work costs on one device, in one engine and precision.

    Attributes:
        channel_step: To what number of channels the engine fills up; one of CHANNEL_STEPS.
        costs_ms: Milliseconds per unit of each feature of `Work`, none below 0.
        networks: How many measured ones it was fitted on.

    Raises:
        InputError: Where a value breaks its constraint.
    """

    channel_step: int
    costs_ms: tuple[float, ...]
    networks: int = 0

    def __post_init__(self) -> None:
        fits = len(self.costs_ms) == _FEATURES and all(0 <= cost < float("inf") for cost in self.costs_ms)
        if self.channel_step not in CHANNEL_STEPS or not fits or not any(self.costs_ms):
            raise InputError(
                f"a latency model has a channel step of {CHANNEL_STEPS} and {_FEATURES} costs from 0 on, got {self}"
            )

    def predict(self, work: Work) -> float:
        """Return the milliseconds that work of shape (len(CHANNEL_STEPS), 10) takes."""
        return float(self.costs_of(work).sum())

    def costs_of(self, work: Work) -> NDArray[np.float64]:
        """Return the milliseconds of each feature of work of shape (len(CHANNEL_STEPS), 10), (10,)."""
        costs: NDArray[np.float64] = work[CHANNEL_STEPS.index(self.channel_step)] * np.array(self.costs_ms)
        return costs

    def fitted(self, works: Sequence[Work], times_ms: Sequence[float]) -> "LatencyModel":
        """Return a model of measured networks, which keeps to this one in what they do not tell.

        Args:
            works: Of each network.
            times_ms: Its milliseconds, above 0, all at one speed of the device.

        Returns:
            The model of least squared relative error, by the channel step that errs clearly least on networks left out.
        """
        if not len(works):
            return self
        every, times = np.stack(works), np.array(times_ms)
        index = CHANNEL_STEPS.index(self.channel_step)
        if len(times) >= _FEWEST_FOR_STEP:
            errors = [self._error_left_out(every[:, step], times) for step in range(len(CHANNEL_STEPS))]
            best = int(np.argmin(errors))
            index = best if errors[best] < _CLEARLY_LESS * errors[index] else index
        costs = self._fit(every[:, index], times)
        return LatencyModel(CHANNEL_STEPS[index], tuple(float(cost) for cost in costs), len(times))

    def _fit(self, features: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return non-negative costs for features (n, 10) and times (n,)."""
        known = np.maximum(np.array(self.costs_ms), _LEAST_SHARE * max(self.costs_ms))
        # In units of what is known, at how fast this device is over all: each factor is drawn towards 1.
        known = known * float(np.median(times / (features @ known)))
        rows = features * known / times[:, None]
        pull = np.sqrt(_PENALTY) * np.eye(_FEATURES)
        factors, _ = nnls(np.vstack([rows, pull]), np.concatenate([np.ones(len(times)), np.diag(pull)]))
        costs: NDArray[np.float64] = np.maximum(factors, _LEAST_SHARE) * known
        return costs

    def _error_left_out(self, features: NDArray[np.float64], times: NDArray[np.float64]) -> float:
        """Return the median relative error on networks that were left out in turn, fold by fold."""
        fold = np.arange(len(times)) % _FOLDS
        errors = np.empty(len(times))
        for left_out in range(_FOLDS):
            out = fold == left_out
            costs = self._fit(features[~out], times[~out])
            errors[out] = np.abs(features[out] @ costs / times[out] - 1)
        return float(np.median(errors))

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal model."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "LatencyModel":
        """Make the model that `to_json` described; raises InputError where a value breaks its constraint."""
        return cls(values["channel_step"], tuple(values["costs_ms"]), values["networks"])


# What a cost is at least, as a share of what was known: no network takes no time, whatever a few runtimes say.
_LEAST_SHARE = 1e-3
# Before anything was measured: only the ratios say something, as they were on CPUs with vectors of 8 to 16 floats.
USUAL = LatencyModel(16, (4.5, 14.0, 30.0, 1.0, 2.0, 1.0, 4.0, 6.0, 2.0, 4.5))
