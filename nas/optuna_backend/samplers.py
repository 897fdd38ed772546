"""Optuna's samplers: the tree of Parzen estimators and NSGA-II."""

import random
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from nas.optuna_backend.trials import STATES, constraints, distributions
from nas.samplers.evolution import MUTATIONS
from nas.samplers.neighbours import NeighboursOrModel
from nas.samplers.protocol import Picks, Sampler, SearchProblem, first_worthwhile, proposal_seed, then_mutations
from nas.samplers.random_search import samples
from nas.trial import Trial, front_of, trained_once
from search_spaces.space import SearchSpace
from sr.pareto import dominates

# A draw of a sampler fits its model anew, which takes longer than a mutation; after so many its draws are mutated.
_SAMPLER_DRAWS = 2
# It models so many trials at the most: the best, and as many of the latest others.
_MODELLED = 100
# Of NSGA-II, that a proposal goes through.
_GENERATIONS = 6
# Optuna's own default: before so many trials TPE has nothing to go by.
_STARTUP_TRIALS = 10


class TpeSampler:
    """Optuna's tree of Parzen estimators over all choices at once, told of PSNR, runtime, activations and the budget.

    Every architecture has every choice, so that the sampler's grouping of conditional choices has nothing to do.
    """

    def __init__(self, problem: SearchProblem) -> None:
        self._problem = problem

    def propose(self, number: int, trials: Sequence[Trial]) -> Picks:
        """Return TPE's proposal; draws by chance until as many trials were told as it takes, or the space has seeds."""
        study = _memory_study()
        study.add_trials([self._replayed(trial) for trial in _modelled(trials)])
        draws = then_mutations(self._problem, number, self._draws(study, number), _SAMPLER_DRAWS)
        return first_worthwhile(self._problem, trials, draws)

    def _replayed(self, trial: Trial) -> FrozenTrial:
        """Return Optuna's trial of an outcome."""
        trained = trial.state == "trained"
        return optuna.trial.create_trial(
            state=STATES[trial.state],
            values=list(trial.objectives) if trained else None,
            params=self._problem.space.encode(trial.architecture),
            distributions=distributions(self._problem.space),
            constraints=constraints(trial, self._problem.budget_ms),
        )

    def _draws(self, study: optuna.Study, number: int) -> Iterator[Picks]:
        """Draw from the study without end, by a sampler of its own each time."""
        draw = 0
        while True:
            seed = proposal_seed(self._problem, number, draw) % 2**32
            known_first = max(_STARTUP_TRIALS, len(self._problem.space.seeds))
            study.sampler = TPESampler(multivariate=True, n_startup_trials=known_first, seed=seed)
            yield _probe(study, self._problem.space).params
            draw += 1


class NsgaSampler:
    """Optuna's NSGA-II: its generations and its survivors; children by the crossover and the mutation of the space.

    Optuna's own children change each position apart from the others, and its first generation fills every position at
    random; here that generation is drawn by the space, evenly over depths. population: trained candidates a generation.
    """

    def __init__(self, problem: SearchProblem, population: int = 24) -> None:
        self._problem, self._population = problem, population

    def propose(self, number: int, trials: Sequence[Trial]) -> Picks:
        """Return a child of the survivors, or a draw of the space in the first generation."""
        rng = random.Random(proposal_seed(self._problem, number))  # noqa: S311 - no secret

        def child(_: optuna.Study, __: dict[str, BaseDistribution], parents: list[FrozenTrial]) -> dict[str, Any]:
            return self._child(parents, rng)

        study = _memory_study()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            sampler = NSGAIISampler(population_size=self._population, child_generation_strategy=child, seed=0)
        study.sampler = sampler
        for trial in self._generations(trials):
            self._replay(trial, study, sampler)
        return first_worthwhile(self._problem, trials, self._draws(study, number))

    def _generations(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trained candidates of the last generations, after those of the front of all before.

        Only what was trained is of a generation: what was over the budget or failed has no objectives. All of a long
        record would take seconds to go through for each proposal, and survivors of its first generations are few.
        """
        trained = [trial for trial in trials if trial.state == "trained"]
        recent = trained[-_GENERATIONS * self._population :]
        return [*front_of(trained[: len(trained) - len(recent)]), *recent]

    def _replay(self, trial: Trial, study: optuna.Study, sampler: NSGAIISampler) -> None:
        """Add a trained candidate to its generation."""
        space = self._problem.space
        running = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=space.encode(trial.architecture),
            distributions=distributions(space),
            constraints=constraints(trial, self._problem.budget_ms),
        )
        study.add_trial(running)
        added = study.get_trials(deepcopy=False)[-1]
        # Writes the generation down, which Optuna does when it proposes; a finished trial can no longer be given one.
        sampler.get_trial_generation(study, added)
        study.tell(added.number, list(trial.objectives))

    def _draws(self, study: optuna.Study, number: int) -> Iterator[Picks]:
        """Draw children without end."""
        first_generation = samples(self._problem, number)
        while True:
            yield _probe(study, self._problem.space).relative_params or next(first_generation)

    def _child(self, parents: list[FrozenTrial], rng: random.Random) -> Picks:
        """Return a mutated crossover of two winners of tournaments by dominance."""
        space = self._problem.space

        def winner() -> Picks:
            left, right = rng.choices(parents, k=2)
            best = left if dominates(left.values, right.values) else right
            return space.encode(space.decode(best.params).canonical)

        return space.mutate(space.crossover(winner(), winner(), rng), rng, count=rng.choice(MUTATIONS))


def _modelled(trials: Sequence[Trial]) -> list[Trial]:
    """Return the best trained trials and the latest others, by number."""
    trained = sorted(trained_once(trials), key=lambda trial: trial.sort_key, reverse=True)[:_MODELLED]
    numbers = {trial.number for trial in trained}
    others = [trial for trial in trials if trial.number not in numbers][-_MODELLED:]
    return sorted([*trained, *others], key=lambda trial: trial.number)


def mixed(problem: SearchProblem) -> Sampler:
    """Return the default: neighbours of the front, and TPE in between."""
    return NeighboursOrModel(problem, TpeSampler(problem))


def _memory_study() -> optuna.Study:
    """Return a study that lives for one proposal, its objectives those of a trial."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(storage=optuna.storages.InMemoryStorage(), directions=["minimize"] * 3)


def _probe(study: optuna.Study, space: SearchSpace) -> optuna.Trial:
    """Return a trial of what the study's sampler proposes, closed so that the next draw does not see it."""
    trial = study.ask(distributions(space))
    study.tell(trial, state=TrialState.FAIL)
    return trial
