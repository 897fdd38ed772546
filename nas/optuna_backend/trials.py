"""Our trials and spaces in Optuna's terms."""

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import TrialState

from nas.trial import Trial
from search_spaces.space import SearchSpace

# What becomes of a trial that was told, in Optuna's words.
STATES = {
    "trained": TrialState.COMPLETE,
    "infeasible": TrialState.PRUNED,
    "put off": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
# The name of the constraint on the runtime.
_RUNTIME = "runtime"


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Return the choices of a space in Optuna's terms."""
    return {name: CategoricalDistribution(values) for name, values in space.choices.items()}


def constraints(trial: Trial, budget_ms: float) -> dict[str, float]:
    """Return by how many milliseconds a measured candidate misses the budget; not over zero is within."""
    return {} if trial.measurement is None else {_RUNTIME: trial.p90_ms - budget_ms}
