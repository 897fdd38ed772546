"""Proposals by chance alone: the control that every other sampler has to beat."""

import random
from collections.abc import Iterator, Sequence

from nas.samplers.protocol import Picks, SearchProblem, first_worthwhile, proposal_seed
from nas.trial import Trial


class RandomSearch:
    """Draws of the space, its depths evenly, that learn nothing from what was told."""

    def __init__(self, problem: SearchProblem) -> None:
        self._problem = problem

    def propose(self, number: int, trials: Sequence[Trial]) -> Picks:
        """Return a draw of the space, unseen and predicted feasible where possible."""
        return first_worthwhile(self._problem, trials, samples(self._problem, number))


def samples(problem: SearchProblem, number: int) -> Iterator[Picks]:
    """Draw from the space without end, by the seed of one trial."""
    rng = random.Random(proposal_seed(problem, number))  # noqa: S311 - no secret
    while True:
        yield problem.space.sample(rng)
