"""Optuna's storage as the record of a study."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from nas.interrupts import uninterrupted
from nas.optuna_backend.owner import is_lost, owner
from nas.optuna_backend.storage import open_storage
from nas.optuna_backend.trials import STATES, constraints
from nas.study import Propose
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace
from sr.errors import InputError

# Optuna's own keys of what is kept with a trial and with a study.
_TRIAL, _WORKER, _SETTINGS = "trial", "worker", "settings"


class OptunaStudy:
    """A study in Optuna's storage; see `nas.study.Study`.

    What is handed out depends on what was enqueued and proposed, and on nothing else: a resumed study goes on as an
    uninterrupted one. What a process of this machine asked for before it died is handed out again.

    Args:
        space: What the architectures are of.
        name: The name of the study in the storage.
        storage: The path of a journal or the URL of a database.
        budget_ms: Recorded as the constraint on each measured trial.

    Raises:
        InputError: Where the storage cannot be opened.
    """

    @uninterrupted()
    def __init__(self, space: SearchSpace, name: str, storage: str, budget_ms: float) -> None:
        self._space, self._budget_ms = space, budget_ms
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.create_study(
            study_name=name,
            storage=open_storage(storage),
            directions=["maximize", "minimize", "minimize"],
            # Never draws: every trial is enqueued with all of its picks.
            sampler=RandomSampler(seed=0),
            load_if_exists=True,
        )
        self._asked: dict[int, optuna.Trial] = {}
        self._told: dict[int, Trial] = {}
        self._catch_up()
        self._requeue_lost()

    def _catch_up(self) -> None:
        """Read what was told before and by other processes."""
        advanced = self._study.user_attrs
        for trial in self._study.get_trials(deepcopy=False):
            if trial.number not in self._told and _TRIAL in trial.user_attrs:
                latest = advanced.get(_advanced_key(trial.number), trial.user_attrs[_TRIAL])
                self._told[trial.number] = Trial.from_json(latest)

    @property
    def trials(self) -> list[Trial]:
        """Every trial told so far."""
        return [self._told[number] for number in sorted(self._told)]

    @property
    def settings(self) -> dict[str, Any]:
        """What `remember` was given last."""
        return dict(self._study.user_attrs.get(_SETTINGS, {}))

    @uninterrupted()
    def remember(self, settings: dict[str, Any]) -> None:
        """Keep `settings` with the study."""
        self._study.set_user_attr(_SETTINGS, settings)

    @uninterrupted()
    def enqueue(self, architectures: Sequence[Architecture]) -> None:
        """Have these asked for next, where the study is still empty."""
        if not self._study.get_trials(deepcopy=False):
            for architecture in architectures:
                self._study.enqueue_trial(self._space.encode(architecture))

    @uninterrupted()
    def ask(self, propose: Propose) -> tuple[int, Architecture]:
        """Return a waiting architecture (seeds, and those of lost trials), else a new proposal."""
        self._catch_up()
        everything = self._study.get_trials(deepcopy=False)
        if not any(trial.state == TrialState.WAITING for trial in everything):
            self._study.enqueue_trial(propose(len(everything), self.trials))
        trial = self._study.ask()
        trial.set_user_attr(_WORKER, owner())
        for name, values in self._space.choices.items():
            trial.suggest_categorical(name, values)
        self._asked[trial.number] = trial
        return trial.number, self._space.decode(trial.params)

    @uninterrupted()
    def tell(self, trial: Trial) -> None:
        """Record the outcome: infeasible as pruned with its constraint, so that whoever reads the storage sees it."""
        asked = self._asked.pop(trial.number)
        for name, excess in constraints(trial, self._budget_ms).items():
            # Set once and just before the tell: Optuna ignores a second value of a constraint.
            asked.set_constraint(name, excess)
        asked.set_user_attr(_TRIAL, trial.to_json())
        self._close(trial)
        self._told[trial.number] = trial

    @uninterrupted()
    def advance(self, trial: Trial) -> None:
        """Keep a trial's later rungs with the study: Optuna lets nothing be added to a finished trial."""
        self._study.set_user_attr(_advanced_key(trial.number), trial.to_json())
        self._told[trial.number] = trial

    def _close(self, trial: Trial) -> None:
        """Give Optuna the outcome of a trial that the record already holds."""
        if trial.state == "trained":
            negative_psnr, runtime_ms, activations = trial.objectives
            self._study.tell(trial.number, [-negative_psnr, runtime_ms, activations])
        else:
            self._study.tell(trial.number, state=STATES[trial.state])

    @uninterrupted()
    def abandon(self, number: int) -> None:
        """Close the trial as failed and queue its architecture."""
        asked = self._asked.pop(number)
        self._study.tell(asked, state=TrialState.FAIL)
        self._study.enqueue_trial(asked.params)

    def _requeue_lost(self) -> None:
        """Queue again what a process of this machine asked for before it died.

        Optuna's own retry would copy the constraint of the lost trial, and journals have no heartbeat.
        """
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not is_lost(trial.user_attrs.get(_WORKER)):
                continue
            if _TRIAL in trial.user_attrs:
                self._close(Trial.from_json(trial.user_attrs[_TRIAL]))
                continue
            self._study.tell(trial.number, state=TrialState.FAIL)
            # From the queue where the process died before it took all of them.
            picks = trial.system_attrs.get("fixed_params") or trial.params
            if len(picks) == len(self._space.choices):
                self._study.enqueue_trial(picks)


def recorded(storage: str) -> tuple[dict[str, Any], list[Trial]]:
    """Return the settings and the trials, by number, of the only study in a storage, which stays as it is.

    Raises:
        InputError: Where there is none, or more than one.
    """
    names = optuna.get_all_study_names(open_storage(storage)) if "://" in storage or Path(storage).is_file() else []
    if len(names) != 1:
        raise InputError(f"{storage} holds {len(names)} studies, and one is wanted; name the folder of a search")
    study = optuna.load_study(study_name=names[0], storage=open_storage(storage))
    advanced = study.user_attrs
    told = [each for each in study.get_trials(deepcopy=False) if _TRIAL in each.user_attrs]
    trials = [Trial.from_json(advanced.get(_advanced_key(each.number), each.user_attrs[_TRIAL])) for each in told]
    return dict(advanced.get(_SETTINGS, {})), trials


def _advanced_key(number: int) -> str:
    """Return the key under which a study keeps the later rungs of a trial."""
    return f"{_TRIAL}/{number}"
