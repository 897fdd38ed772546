"""Whether a proposal may meet the budget and is worth a measurement, by its predicted runtime."""

from collections.abc import Sequence
from dataclasses import replace

from nas.predictors.latency_table import LatencyTable
from search_spaces.architecture import Architecture

# The p90 that the budget is for lies above the median that is predicted, and predictions err both ways: only what
# cannot meet the budget is left out.
MARGIN = 1.2
# More than timing tells apart.
_FREE = 0.02


def is_predicted_feasible(table: LatencyTable, architecture: Architecture, budget_ms: float) -> bool:
    """Return whether an architecture may be within a budget; what the table does not know may always be."""
    return not table.knows(architecture) or table.predict(architecture) <= MARGIN * budget_ms


def has_free_width(table: LatencyTable, architecture: Architecture, widths: Sequence[int]) -> bool:
    """Return whether the same network of the next width up is predicted to take no longer.

    Engines pay by steps of 4, 8 or 16 channels, by what they pad to: between the steps a network is worse for nothing.

    Args:
        table: What it is predicted by; what it does not know has no free width.
        architecture: The network.
        widths: Those that there are, ascending.
    """
    wider = next((width for width in widths if width > architecture.num_feat), None)
    if wider is None:
        return False
    widened = replace(architecture, num_feat=wider)
    if not (table.knows(architecture) and table.knows(widened)):
        return False
    return table.predict(widened) <= (1 + _FREE) * table.predict(architecture)
