"""What the trials so far say of the networks that they evaluated, each of them once."""

import statistics
from collections.abc import Mapping, Sequence

from nas.trial import Trial
from search_spaces.architecture import Architecture

# So many different networks, the smallest of the space among them, and none within the budget: none will be.
_INFEASIBLE_TRIALS = 30


def by_key(trials: Sequence[Trial]) -> dict[str, Trial]:
    """Return the different networks by their keys, each with the trial that evaluated it."""
    return {trial.architecture.key: trial for trial in trials if trial.duplicate_of is None}


def repeated(number: int, architecture: Architecture, known: Mapping[str, Trial]) -> Trial | None:
    """Return the known outcome of an equal network; its rungs are those of the trial that trained to them."""
    before = known.get(architecture.key)
    if before is None:
        return None
    return Trial(number, architecture, before.state, before.measurement, before.reason, 0.0, before.number)


def nothing_is_feasible(known: Mapping[str, Trial]) -> bool:
    """Return whether enough was measured to give the budget up."""
    return len(known) >= _INFEASIBLE_TRIALS and all(trial.state == "infeasible" for trial in known.values())


def typical_seconds(trials: Sequence[Trial]) -> float | None:
    """Return the median length of a trained candidate's trial up to its first rung; None where none is trained."""
    lengths = [
        trial.seconds - sum(rung.seconds for rung in trial.rungs[1:])
        for trial in trials
        if trial.state == "trained" and trial.duplicate_of is None
    ]
    return statistics.median(lengths) if lengths else None
