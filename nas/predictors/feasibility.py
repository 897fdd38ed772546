"""Whether a proposal may meet the budget, by its predicted runtime."""

from nas.predictors.latency_table import LatencyTable
from search_spaces.architecture import Architecture

# The p90 that the budget is for lies above the median that is predicted, and predictions err both ways: only what
# cannot meet the budget is left out.
MARGIN = 1.2


def is_predicted_feasible(table: LatencyTable, architecture: Architecture, budget_ms: float) -> bool:
    """Return whether an architecture may be within a budget; what the table does not know may always be."""
    return not table.knows(architecture) or table.predict(architecture) <= MARGIN * budget_ms
