"""What every sampler offers: the next proposal from its search problem and what was observed, and from nothing else."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace, Value
from sr.seeds import derived_seed

# So often a proposal is drawn again where it is predicted infeasible or was seen.
_DRAWS = 50

Picks = dict[str, Value]


class Sampler(Protocol):
    """Says what to evaluate next.

    Equal problems, numbers and trials give equal picks, so that a resumed study goes on as an uninterrupted one; a
    sampler may cache what it derived from earlier trials, never draw from a state that a restart would lose.
    """

    def propose(self, number: int, trials: Sequence[Trial]) -> Picks:
        """Return the picks of the trial `number`; `trials` are all that were told before, by number."""
        ...


def accept_all(_: Architecture) -> bool:
    """Predict that every architecture is feasible."""
    return True


def unknown_share(_: Architecture) -> float | None:
    """Know nothing of an architecture's runtime."""
    return None


def equal_acquisition(_: Architecture) -> float:
    """Expect the same of every architecture."""
    return 0.0


@dataclass(frozen=True)
class SearchProblem:
    """What a sampler searches, and for what.

    Attributes:
        space: What is proposed from.
        seed: That of all draws.
        budget_ms: What the p90 of a candidate's runtime must keep to.
        is_predicted_feasible: Says cheaply whether an architecture is worth an evaluation, such as by a predicted
            runtime.
        acquisition: Says cheaply what quality may be expected at best; more is better.
        budget_share: Says cheaply what share of the budget a runtime is likely to keep to; None where nobody knows. All
            three may follow what was observed so far, and nothing else.
    """

    space: SearchSpace
    seed: int
    budget_ms: float
    is_predicted_feasible: Callable[[Architecture], bool] = accept_all
    acquisition: Callable[[Architecture], float] = equal_acquisition
    budget_share: Callable[[Architecture], float | None] = unknown_share


def proposal_seed(problem: SearchProblem, number: int, draw: int = 0) -> int:
    """Return the seed of one draw of one trial, 64 bits that neighbouring numbers do not share."""
    return derived_seed(problem.seed, number, draw) if draw else derived_seed(problem.seed, number)


def first_worthwhile(
    problem: SearchProblem, trials: Sequence[Trial], draws: Iterable[Picks], best_of: int = 1
) -> Picks:
    """Return the first of _DRAWS draws whose network is unseen and predicted feasible.

    Where there is none it is the unseen one that is predicted to be the fastest, and the last one where all were seen.

    Args:
        problem: What is searched.
        trials: What was seen.
        draws: Where they are drawn from.
        best_of: Of so many worthwhile draws the one with the highest acquisition.
    """
    seen = {trial.architecture.key for trial in trials}
    picks: Picks = {}
    found: list[tuple[Architecture, Picks]] = []
    others: list[tuple[Architecture, Picks]] = []
    for picks in islice(draws, _DRAWS):
        architecture = problem.space.decode(picks)
        if architecture.key in seen:
            continue
        (found if problem.is_predicted_feasible(architecture) else others).append((architecture, picks))
        if len(found) == best_of:
            break
    if found:
        return max(found, key=lambda each: problem.acquisition(each[0]))[1]
    # The last of equals, as where nothing is known of any.
    return min(reversed(others), key=lambda each: problem.budget_share(each[0]) or 0.0)[1] if others else picks


def then_mutations(problem: SearchProblem, number: int, draws: Iterable[Picks], most: int) -> Iterator[Picks]:
    """Draw at most `most` times, then mutate those draws without end.

    For models that are slow to draw from, and that draw the same again where they are sure of themselves: what they
    want is then sought among the neighbours of it.
    """
    drawn: list[Picks] = []
    for picks in islice(draws, most):
        drawn.append(picks)
        yield picks
    rng = random.Random(proposal_seed(problem, number, most))  # noqa: S311 - no secret
    while True:
        yield problem.space.mutate(rng.choice(drawn), rng, count=rng.choice((1, 2, 3)))
