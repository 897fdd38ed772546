"""How far a predicted runtime is to be trusted, and whether a proposal has a better one at its runtime."""

from collections.abc import Sequence
from dataclasses import replace

from nas.predictors.latency import LatencyPredictor
from search_spaces.architecture import Architecture

# Before much was measured predictions err by as much.
_FIRST_ERROR = 0.25
# The least that is kept free for what a prediction errs by.
_LEAST_ERROR = 0.03
# More than timing tells apart.
_FREE = 0.02


def expected_error(predictor: LatencyPredictor) -> float:
    """Return by what share predictions err in the median, as far as is known; at least 0.03."""
    unseen = predictor.unseen
    return max(_LEAST_ERROR, _FIRST_ERROR if unseen is None else min(unseen.median, _FIRST_ERROR))


def has_free_width(predictor: LatencyPredictor, architecture: Architecture, widths: Sequence[int]) -> bool:
    """Return whether the same network of the next width up is predicted to take no longer.

    Engines pay by steps of 4, 8 or 16 channels, by what they pad to: between the steps a network is worse for nothing.

    Args:
        predictor: What it is predicted by.
        architecture: The network.
        widths: Those that there are, ascending.
    """
    wider = next((width for width in widths if width > architecture.num_feat), None)
    if wider is None or not predictor.is_calibrated:
        return False
    widened = replace(architecture, num_feat=wider)
    return predictor.predict(widened) <= (1 + _FREE) * predictor.predict(architecture)
