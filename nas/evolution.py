"""Proposals that vary what was trained: neighbours of the front, and children of tournament winners."""

import random
from collections.abc import Iterator, Sequence

from nas.engine import Proposer, Terms, derived_seed, first_worthwhile
from nas.random_search import samples
from nas.trial import Trial, front_of, trained_once
from search_spaces.space import Value
from sr.pareto import crowding, non_dominated_sort

# Of so many proposals in a row one is the global engine's, the others are neighbours of the front.
NEIGHBOURS_IN = 4
# Of so many neighbours that may be within the budget the most hopeful is proposed: they cost a prediction each.
HOPEFUL_OF = 12
# How many choices a mutation changes, drawn evenly from these: small steps twice as often as larger ones.
MUTATIONS = (1, 1, 2, 3)


class Mixed:
    """The most hopeful of some neighbours of the front, and a global engine's proposal every NEIGHBOURS_IN trials.

    With a handful of good trials the kernels over categories are nearly flat, so that most of a global engine's
    proposals lie far from everything that met the budget; a mutation of a front member stays near.
    """

    def __init__(self, terms: Terms, distant: Proposer) -> None:
        self.terms, self.distant = terms, distant

    def propose(self, number: int, trials: Sequence[Trial]) -> dict[str, Value]:
        """Return a mutation of a front member, or what the global engine proposes."""
        front = front_of(trials)
        if not front or number % NEIGHBOURS_IN == 0:
            return self.distant.propose(number, trials)
        return first_worthwhile(self.terms, trials, neighbours(self.terms, front, number), of=HOPEFUL_OF)


def neighbours(terms: Terms, front: Sequence[Trial], number: int) -> Iterator[dict[str, Value]]:
    """Draw mutations of front members without end; the better half by PSNR is twice as likely."""
    rng = random.Random(derived_seed(terms.seed, number))  # noqa: S311 - no secret
    parents = [*front, *front[: (len(front) + 1) // 2]]
    while True:
        parent = terms.space.encode(rng.choice(parents).architecture.canonical)
        yield terms.space.mutate(parent, rng, count=rng.choice(MUTATIONS))


# Lower is better: milliseconds over the budget, then the non-dominated rank, then the crowding distance, negated.
Fitness = tuple[float, int, float]


class Evolution:
    """Children of two tournament winners: crossover, then one to three mutations.

    A tournament of two goes to the one within the budget, then to the lower non-dominated rank in PSNR, runtime and
    activations, then to the less crowded. aging: so many of the latest trained candidates may be parents; None for
    all of them. Until a candidate was trained the fastest of those measured are bred from.
    """

    def __init__(self, terms: Terms, aging: int | None = None) -> None:
        self.terms, self.aging = terms, aging

    def propose(self, number: int, trials: Sequence[Trial]) -> dict[str, Value]:
        """Return a child, unseen and promising where possible; a draw of the space while nothing was measured."""
        parents = self.parents(trials)
        draws = self.children(parents, number) if parents else samples(self.terms, number)
        return first_worthwhile(self.terms, trials, draws)

    def parents(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the candidates that may be parents."""
        trained = trained_once(trials)
        if trained:
            return trained if self.aging is None else trained[-self.aging :]
        return [trial for trial in trials if trial.measurement is not None and trial.duplicate_of is None]

    def children(self, parents: Sequence[Trial], number: int) -> Iterator[dict[str, Value]]:
        """Draw children without end."""
        rng = random.Random(derived_seed(self.terms.seed, number))  # noqa: S311 - no secret
        space, standing = self.terms.space, fitnesses(parents, self.terms.budget_ms)

        def winner() -> dict[str, Value]:
            rivals = rng.choices(parents, k=2)
            # Without its empty positions, so that crossover meets blocks of equal place.
            return space.encode(min(rivals, key=lambda trial: standing[trial.number]).architecture.canonical)

        while True:
            yield space.mutate(space.crossover(winner(), winner(), rng), rng, count=rng.choice(MUTATIONS))


def fitnesses(trials: Sequence[Trial], budget_ms: float) -> dict[int, Fitness]:
    """Return the fitness of measured candidates by number; one that was not trained has only its excess."""
    excess = {
        trial.number: max(0.0, trial.measurement.runtime.p90_ms - budget_ms) for trial in trials if trial.measurement
    }
    points = {trial.number: trial.objectives for trial in trials if trial.state == "trained"}
    fitness: dict[int, Fitness] = {number: (over, 0, 0.0) for number, over in excess.items()}
    for rank, names in enumerate(non_dominated_sort(points)):
        distances = crowding({name: points[name] for name in names})
        fitness |= {name: (excess[name], rank, -distances[name]) for name in names}
    return fitness
