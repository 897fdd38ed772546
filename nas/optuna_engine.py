"""Optuna's storage as the record of a study, and its samplers as proposers; the only importer of optuna."""

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from nas.engine import Proposer, Terms, accept_all, and_nearby, derived_seed, first_worthwhile, no_hope
from nas.evolution import MUTATIONS, Mixed
from nas.interrupts import uninterrupted
from nas.random_search import samples
from nas.trial import Trial
from nas.workers import is_lost, worker
from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace, Value
from sr.errors import InputError
from sr.pareto import dominates

# A draw of a sampler fits its model anew, which takes longer than a mutation; after so many its draws are mutated.
SAMPLER_DRAWS = 5
# Optuna's own default: before so many trials TPE has nothing to go by.
STARTUP_TRIALS = 10
# What becomes of a trial that was told, in Optuna's words.
STATES = {"trained": TrialState.COMPLETE, "infeasible": TrialState.PRUNED, "failed": TrialState.FAIL}
# Optuna's own keys of what this engine keeps with a trial and with a study.
TRIAL, WORKER, SETTINGS, RUNTIME = "trial", "worker", "settings", "runtime"


class TpeProposer:
    """Optuna's tree of Parzen estimators over all choices at once, told of PSNR, runtime, activations and the budget.

    Every architecture has every choice, so that the sampler's grouping of conditional choices has nothing to do.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms

    def propose(self, number: int, trials: Sequence[Trial]) -> dict[str, Value]:
        """Return TPE's proposal; draws by chance until as many trials were told as it takes, or the space has seeds."""
        study = memory_study()
        study.add_trials([self.replayed(trial) for trial in trials])
        draws = and_nearby(self.terms, number, self.draws(study, number), SAMPLER_DRAWS)
        return first_worthwhile(self.terms, trials, draws)

    def replayed(self, trial: Trial) -> FrozenTrial:
        """Return Optuna's trial of an outcome."""
        trained = trial.state == "trained"
        return optuna.trial.create_trial(
            state=STATES[trial.state],
            values=list(trial.objectives) if trained else None,
            params=self.terms.space.encode(trial.architecture),
            distributions=distributions(self.terms.space),
            constraints=constraints(trial, self.terms.budget_ms),
        )

    def draws(self, study: optuna.Study, number: int) -> Iterator[dict[str, Value]]:
        """Draw from the study without end, by a sampler of its own each time."""
        draw = 0
        while True:
            seed = derived_seed(self.terms.seed, number, draw) % 2**32
            known_first = max(STARTUP_TRIALS, len(self.terms.space.seeds))
            study.sampler = TPESampler(multivariate=True, n_startup_trials=known_first, seed=seed)
            yield probe(study, self.terms.space).params
            draw += 1


class NsgaProposer:
    """Optuna's NSGA-II: its generations and its survivors; children by the crossover and the mutation of the space.

    Optuna's own children change each position apart from the others, and its first generation fills every position at
    random; here that generation is drawn by the space, evenly over depths. population: trained candidates a generation.
    """

    def __init__(self, terms: Terms, population: int = 24) -> None:
        self.terms, self.population = terms, population

    def propose(self, number: int, trials: Sequence[Trial]) -> dict[str, Value]:
        """Return a child of the survivors, or a draw of the space in the first generation."""
        rng = random.Random(derived_seed(self.terms.seed, number))  # noqa: S311 - no secret

        def child(_: optuna.Study, __: dict[str, BaseDistribution], parents: list[FrozenTrial]) -> dict[str, Any]:
            return self.child(parents, rng)

        study = memory_study()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            sampler = NSGAIISampler(population_size=self.population, child_generation_strategy=child, seed=0)
        study.sampler = sampler
        for trial in trials:
            # Only these are of a generation: what was over the budget or failed has no objectives.
            if trial.state == "trained":
                self.replay(trial, study, sampler)
        return first_worthwhile(self.terms, trials, self.draws(study, number))

    def replay(self, trial: Trial, study: optuna.Study, sampler: NSGAIISampler) -> None:
        """Add a trained candidate to its generation."""
        space = self.terms.space
        running = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=space.encode(trial.architecture),
            distributions=distributions(space),
            constraints=constraints(trial, self.terms.budget_ms),
        )
        study.add_trial(running)
        added = study.get_trials(deepcopy=False)[-1]
        # Writes the generation down, which Optuna does when it proposes; a finished trial can no longer be given one.
        sampler.get_trial_generation(study, added)
        study.tell(added.number, list(trial.objectives))

    def draws(self, study: optuna.Study, number: int) -> Iterator[dict[str, Value]]:
        """Draw children without end."""
        first_generation = samples(self.terms, number)
        while True:
            yield probe(study, self.terms.space).relative_params or next(first_generation)

    def child(self, parents: list[FrozenTrial], rng: random.Random) -> dict[str, Value]:
        """Return a mutated crossover of two winners of tournaments by dominance."""
        space = self.terms.space

        def winner() -> dict[str, Value]:
            left, right = rng.choices(parents, k=2)
            best = left if dominates(left.values, right.values) else right
            return space.encode(space.decode(best.params).canonical)

        return space.mutate(space.crossover(winner(), winner(), rng), rng, count=rng.choice(MUTATIONS))


def mixed(terms: Terms) -> Proposer:
    """Return the default: neighbours of the front, and TPE in between."""
    return Mixed(terms, TpeProposer(terms))


def memory_study() -> optuna.Study:
    """Return a study that lives for one proposal, its objectives those of a trial."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(storage=optuna.storages.InMemoryStorage(), directions=["minimize"] * 3)


def probe(study: optuna.Study, space: SearchSpace) -> optuna.Trial:
    """Return a trial of what the study's sampler proposes, closed so that the next draw does not see it."""
    trial = study.ask(distributions(space))
    study.tell(trial, state=TrialState.FAIL)
    return trial


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """Return the choices of a space in Optuna's terms."""
    return {name: CategoricalDistribution(values) for name, values in space.choices.items()}


def constraints(trial: Trial, budget_ms: float) -> dict[str, float]:
    """Return by how many milliseconds a measured candidate misses the budget; not over zero is within."""
    return {} if trial.measurement is None else {RUNTIME: trial.measurement.runtime.p90_ms - budget_ms}


class OptunaEngine:
    """The record of a study in Optuna's storage, with whatever proposes.

    The seeds of the space come first, those that are unpromising left out but for the smallest. A proposal depends on
    the seed, the trial's number and the trials told before, and on nothing else: a resumed study goes on as an
    uninterrupted one.
    """

    @uninterrupted()
    def __init__(
        self,
        space: SearchSpace,
        study: str,
        storage: str,
        seed: int,
        budget_ms: float,
        proposer: Callable[[Terms], Proposer] = mixed,
        promising: Callable[[Architecture], bool] = accept_all,
        hope: Callable[[Architecture], float] = no_hope,
    ) -> None:
        self.space, self.budget_ms = space, budget_ms
        self.terms = Terms(space, seed, budget_ms, promising, hope)
        self.proposer = proposer(self.terms)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(
            study_name=study,
            storage=open_storage(storage),
            directions=["maximize", "minimize", "minimize"],
            # Never draws: every trial is enqueued with all of its picks.
            sampler=RandomSampler(seed=0),
            load_if_exists=True,
        )
        self.asked: dict[int, optuna.Trial] = {}
        self.told: dict[int, Trial] = {}
        self.catch_up()
        if not self.study.get_trials(deepcopy=False):
            for architecture in worthwhile_seeds(self.terms):
                self.study.enqueue_trial(space.encode(architecture))
        self.requeue_lost()

    def catch_up(self) -> None:
        """Read what was told before and by other processes."""
        advanced = self.study.user_attrs
        for trial in self.study.get_trials(deepcopy=False):
            if trial.number not in self.told and TRIAL in trial.user_attrs:
                latest = advanced.get(advanced_key(trial.number), trial.user_attrs[TRIAL])
                self.told[trial.number] = Trial.from_json(latest)

    @property
    def trials(self) -> list[Trial]:
        """Every trial told so far."""
        return [self.told[number] for number in sorted(self.told)]

    @property
    def settings(self) -> dict[str, Any]:
        """What `remember` was given last."""
        return dict(self.study.user_attrs.get(SETTINGS, {}))

    @uninterrupted()
    def remember(self, settings: dict[str, Any]) -> None:
        """Keep `settings` with the study."""
        self.study.set_user_attr(SETTINGS, settings)

    @uninterrupted()
    def ask(self) -> tuple[int, Architecture]:
        """Return a waiting architecture (seeds, and those of lost trials), else a new proposal."""
        self.catch_up()
        everything = self.study.get_trials(deepcopy=False)
        if not any(trial.state == TrialState.WAITING for trial in everything):
            self.study.enqueue_trial(self.proposer.propose(len(everything), self.trials))
        trial = self.study.ask()
        trial.set_user_attr(WORKER, worker())
        for name, values in self.space.choices.items():
            trial.suggest_categorical(name, values)
        self.asked[trial.number] = trial
        return trial.number, self.space.decode(trial.params)

    @uninterrupted()
    def tell(self, trial: Trial) -> None:
        """Record the outcome: infeasible as pruned with its constraint, so that whoever reads the storage sees it."""
        asked = self.asked.pop(trial.number)
        for name, excess in constraints(trial, self.budget_ms).items():
            # Set once and just before the tell: Optuna ignores a second value of a constraint.
            asked.set_constraint(name, excess)
        asked.set_user_attr(TRIAL, trial.to_json())
        self.close(trial)
        self.told[trial.number] = trial

    @uninterrupted()
    def advance(self, trial: Trial) -> None:
        """Keep a trial's later rungs with the study: Optuna lets nothing be added to a finished trial."""
        self.study.set_user_attr(advanced_key(trial.number), trial.to_json())
        self.told[trial.number] = trial

    def close(self, trial: Trial) -> None:
        """Give Optuna the outcome of a trial that the record already holds."""
        if trial.state == "trained":
            negative_psnr, runtime_ms, activations = trial.objectives
            self.study.tell(trial.number, [-negative_psnr, runtime_ms, activations])
        else:
            self.study.tell(trial.number, state=STATES[trial.state])

    @uninterrupted()
    def abandon(self, number: int) -> None:
        """Close the trial as failed and queue its architecture."""
        asked = self.asked.pop(number)
        self.study.tell(asked, state=TrialState.FAIL)
        self.study.enqueue_trial(asked.params)

    def requeue_lost(self) -> None:
        """Queue again what a process of this machine asked for before it died.

        Optuna's own retry would copy the constraint of the lost trial, and journals have no heartbeat.
        """
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not is_lost(trial.user_attrs.get(WORKER)):
                continue
            if TRIAL in trial.user_attrs:
                self.close(Trial.from_json(trial.user_attrs[TRIAL]))
                continue
            self.study.tell(trial.number, state=TrialState.FAIL)
            # From the queue where the process died before it took all of them.
            picks = trial.system_attrs.get("fixed_params") or trial.params
            if len(picks) == len(self.space.choices):
                self.study.enqueue_trial(picks)


def advanced_key(number: int) -> str:
    """Return the key under which a study keeps the later rungs of a trial."""
    return f"{TRIAL}/{number}"


def worthwhile_seeds(terms: Terms) -> list[Architecture]:
    """Return the promising seeds of the space, and the smallest in any case: a search needs one to start from."""
    seeds = terms.space.seeds
    smallest = min(seeds, key=lambda seed: seed.num_feat * len(seed.canonical.blocks), default=None)
    return [seed for seed in seeds if seed is smallest or terms.promising(seed)]


def open_storage(storage: str) -> BaseStorage:
    """Open a database by its URL or a journal by its path; raises InputError where that fails."""
    try:
        if "://" in storage:
            return RDBStorage(storage)
        Path(storage).parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(storage))
    except Exception as error:
        detail = str(error).splitlines()[0]
        raise InputError(f"cannot open the storage {storage}: {detail}; give the path of a journal or a URL") from error


def has_study(storage: str, study: str) -> bool:
    """Tell whether `storage` already holds this study, without making anything."""
    if "://" not in storage and not Path(storage).exists():
        return False
    return study in optuna.get_all_study_names(open_storage(storage))
