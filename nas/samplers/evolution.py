"""Children of tournament winners among what was trained."""

import random
from collections.abc import Iterator, Sequence

from nas.samplers.protocol import Picks, SearchProblem, first_worthwhile, proposal_seed
from nas.samplers.random_search import samples
from nas.trial import Trial, trained_once
from sr.pareto import crowding, non_dominated_sort

# How many choices a mutation changes, drawn evenly from these: small steps twice as often as larger ones.
MUTATIONS = (1, 1, 2, 3)


# Lower is better: milliseconds over the budget, then the non-dominated rank, then the crowding distance, negated.
_Fitness = tuple[float, int, float]


class Evolution:
    """Children of two tournament winners: crossover, then one to three mutations.

    A tournament of two goes to the one within the budget, then to the lower non-dominated rank in PSNR, runtime and
    activations, then to the less crowded. aging: so many of the latest trained candidates may be parents; None for
    all of them. Until a candidate was trained the fastest of those measured are bred from.
    """

    def __init__(self, problem: SearchProblem, aging: int | None = None) -> None:
        self._problem, self._aging = problem, aging

    def propose(self, number: int, trials: Sequence[Trial]) -> Picks:
        """Return a child, unseen and predicted feasible where possible; before any measurement a draw of the space."""
        parents = self._parents(trials)
        draws = self._children(parents, number) if parents else samples(self._problem, number)
        return first_worthwhile(self._problem, trials, draws)

    def _parents(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the candidates that may be parents."""
        trained = trained_once(trials)
        if trained:
            return trained if self._aging is None else trained[-self._aging :]
        return [trial for trial in trials if trial.measurement is not None and trial.duplicate_of is None]

    def _children(self, parents: Sequence[Trial], number: int) -> Iterator[Picks]:
        """Draw children without end."""
        rng = random.Random(proposal_seed(self._problem, number))  # noqa: S311 - no secret
        space, fitness = self._problem.space, _fitnesses(parents, self._problem.budget_ms)

        def winner() -> Picks:
            rivals = rng.choices(parents, k=2)
            # Without its empty positions, so that crossover meets blocks of equal place.
            return space.encode(min(rivals, key=lambda trial: fitness[trial.number]).architecture.canonical)

        while True:
            yield space.mutate(space.crossover(winner(), winner(), rng), rng, count=rng.choice(MUTATIONS))


def _fitnesses(trials: Sequence[Trial], budget_ms: float) -> dict[int, _Fitness]:
    """Return the fitness of measured candidates by number; one that was not trained has only its excess."""
    excess = {trial.number: max(0.0, trial.p90_ms - budget_ms) for trial in trials if trial.measurement}
    points = {trial.number: trial.objectives for trial in trials if trial.state == "trained"}
    fitness: dict[int, _Fitness] = {number: (over, 0, 0.0) for number, over in excess.items()}
    for rank, names in enumerate(non_dominated_sort(points)):
        distances = crowding({name: points[name] for name in names})
        fitness |= {name: (excess[name], rank, -distances[name]) for name in names}
    return fitness
