"""Proposals that vary what was trained: neighbours of the front, and children of tournament winners."""

import random
from collections.abc import Iterator, Sequence

from nas.samplers.protocol import Picks, Sampler, SearchProblem, first_worthwhile, proposal_seed
from nas.samplers.random_search import samples
from nas.trial import Trial, front_of, trained_once
from sr.pareto import crowding, non_dominated_sort

# Of so many proposals in a row one is the global sampler's, the others are neighbours of the front.
_NEIGHBOURS_IN = 4
# Of so many neighbours that are predicted feasible the one with the highest acquisition is proposed: they cost a
# prediction each.
_NEIGHBOURS_DRAWN = 12
# How many choices a mutation changes, drawn evenly from these: small steps twice as often as larger ones.
MUTATIONS = (1, 1, 2, 3)


class NeighboursOrModel:
    """The best of some neighbours of the front by acquisition, and in every fourth trial a global sampler's proposal.

    With a handful of good trials the kernels over categories are nearly flat, so that most of a global sampler's
    proposals lie far from everything that met the budget; a mutation of a front member stays near.
    """

    def __init__(self, problem: SearchProblem, distant: Sampler) -> None:
        self._problem, self._distant = problem, distant

    def propose(self, number: int, trials: Sequence[Trial]) -> Picks:
        """Return a mutation of a front member, or what the global sampler proposes."""
        front = front_of(trials)
        if not front or number % _NEIGHBOURS_IN == 0:
            return self._distant.propose(number, trials)
        draws = _neighbours(self._problem, front, number)
        return first_worthwhile(self._problem, trials, draws, best_of=_NEIGHBOURS_DRAWN)


def _neighbours(problem: SearchProblem, front: Sequence[Trial], number: int) -> Iterator[Picks]:
    """Draw mutations of front members without end; the better half by PSNR is twice as likely."""
    rng = random.Random(proposal_seed(problem, number))  # noqa: S311 - no secret
    parents = [*front, *front[: (len(front) + 1) // 2]]
    while True:
        parent = problem.space.encode(rng.choice(parents).architecture.canonical)
        yield problem.space.mutate(parent, rng, count=rng.choice(MUTATIONS))


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
    excess = {
        trial.number: max(0.0, trial.measurement.runtime.p90_ms - budget_ms) for trial in trials if trial.measurement
    }
    points = {trial.number: trial.objectives for trial in trials if trial.state == "trained"}
    fitness: dict[int, _Fitness] = {number: (over, 0, 0.0) for number, over in excess.items()}
    for rank, names in enumerate(non_dominated_sort(points)):
        distances = crowding({name: points[name] for name in names})
        fitness |= {name: (excess[name], rank, -distances[name]) for name in names}
    return fitness
