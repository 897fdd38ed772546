"""Whether a candidate keeps to the budget at the device's calm speed; what a load may have decided is no verdict.

Other processes slow the candidate and the reference network, timed in the same rounds, by the same factor. So a runtime
at calm speed is the ratio of both, times what the reference takes when nothing disturbs it. Where nothing else is at
work and the device is slower all the same, small networks lose most: the runtime lies between that and the one taken.
"""

import math
import statistics
from collections.abc import Sequence
from typing import Literal

import numpy as np

from nas.trial import Trial
from sr.measure.calm_speed import UNDER_LOAD, CalmSpeed
from sr.measure.measurement import Measurement

Verdict = Literal["within", "over", "put off"]

# Nine of ten runs are known from so many on.
_TELLING_RUNS = 10
# What is this far over the budget is so, whichever of both ways is right.
_SURELY = 1.05
# A few runs, or those of a spread that stayed wide, are right to about so much.
_ROUGH = 1.25
# Other processes slow a network by up to so much more than the reference beside it: two threads wait for each other.
_ROUGH_UNDER_LOAD = 3.0
# Of the reference's runtimes in a study: the lowest may be luck, the median may be of a busy hour.
_CALM_QUANTILE = 0.25


def calm_speed(trials: Sequence[Trial], now: Measurement | None = None, known_ms: float | None = None) -> CalmSpeed:
    """Return how fast the device is when calm, by what a study saw of it.

    Args:
        trials: Those measured so far.
        now: A measurement that is no trial yet.
        known_ms: The reference's calm runtime from earlier studies, None where there is none.

    Raises:
        ValueError: Where nothing tells.
    """
    measured = [each.measurement for each in trials if each.measurement is not None and each.duplicate_of is None]
    measured += [] if now is None else [now]
    references = [each.reference_ms for each in measured if each.reference_ms is not None]
    lowest = [
        *([float(np.quantile(references, _CALM_QUANTILE))] if references else []),
        *([known_ms] if known_ms else []),
    ]
    if not lowest:
        raise ValueError("the speed of a device takes a measured reference network, got none")
    factors = [each.runtime.p90_ms / each.runtime.median_ms for each in measured if each.runtime.reliable]
    return CalmSpeed(min(lowest), statistics.median(factors) if factors else 1.0)


def verdict_on(measurement: Measurement, calm: CalmSpeed, budget_ms: float) -> Verdict:
    """Return whether a measured candidate keeps to a budget: nine runs of ten at calm speed.

    Without a reliable measurement at that speed it is within the budget only where it keeps to it all the same, for a
    load makes nothing faster; and over it only where even its fastest runs are, by more than their number or the load
    can explain, or where it is at calm speed though nothing else was at work. Else it is put off.
    """
    runtime, slowdown = measurement.runtime, calm.slowdown(measurement)
    if calm.was_calm(measurement):
        return "within" if calm.calm_p90_ms(measurement) <= budget_ms else "over"
    if runtime.runs >= _TELLING_RUNS and runtime.p90_ms <= budget_ms:
        return "within"
    if runtime.reliable and calm.calm_ms(measurement) > _SURELY * budget_ms:
        return "over"
    under_load = runtime.disturbed or slowdown > UNDER_LOAD
    if runtime.p10_ms > (_ROUGH_UNDER_LOAD if under_load else _ROUGH) * budget_ms * slowdown:
        return "over"
    return "put off"


def keeps_to(measurement: Measurement, calm_p90_ms: float | None, budget_ms: float) -> bool:
    """Return whether what is shipped keeps to a budget, by the runtime as it was taken where the device was calm.

    Args:
        measurement: As it was taken.
        calm_p90_ms: What nine runs of ten keep to at the device's calm speed, where it never was; infinite where nobody
            knows, None where it was calm.
        budget_ms: Milliseconds.
    """
    return measurement.within(budget_ms) or (calm_p90_ms is not None and calm_p90_ms <= budget_ms)


def describe_kept(measurement: Measurement, calm_p90_ms: float | None, budget_ms: float) -> str:
    """Say whether what is shipped keeps to a budget; the arguments are those of `keeps_to`."""
    budget = f"the budget of {budget_ms:g} ms"
    if measurement.within(budget_ms):
        return f"within {budget}"
    if calm_p90_ms is None or math.isinf(calm_p90_ms):
        return f"OVER {budget}"
    if calm_p90_ms <= budget_ms:
        return f"over {budget} on a device that was never calm, and within it at its calm speed (p90 {calm_p90_ms:.1f})"
    return f"OVER {budget}, also at the device's calm speed (p90 {calm_p90_ms:.1f})"


def rough_verdict_on(calm_ms: float, calm: CalmSpeed, budget_ms: float) -> Verdict:
    """Return the likelier verdict on a candidate that was never measured while the device was calm.

    Args:
        calm_ms: What its median stands for at calm speed, of several doubtful measurements the median.
        calm: How fast the device is when nothing disturbs it.
        budget_ms: Milliseconds that nine runs of ten keep to.
    """
    return "within" if calm.p90_factor * calm_ms <= budget_ms else "over"
