"""Proposals by Optuna, and its storage as the record; the only importer of optuna."""

import hashlib
import json
import os
import random
import socket
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from nas.trial import Trial, front_of
from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace
from sr.errors import InputError

# Of so many proposals in a row one is TPE's, the others are neighbours of the front.
NEIGHBOURS_IN = 4
# Optuna's own keys of what this engine keeps with a trial and with a study.
TRIAL, WORKER, SETTINGS = "trial", "worker", "settings"


class OptunaEngine:
    """Neighbours of the front, and TPE over all choices every NEIGHBOURS_IN trials.

    With a handful of good trials TPE's categorical kernels are nearly flat, so that most of its proposals lie far from
    everything that met the budget; a mutation of a front member stays near. A proposal depends on the seed, the trial's
    number and the trials told before, and on nothing else: a resumed study goes on as an uninterrupted one.
    """

    def __init__(self, space: SearchSpace, study: str, storage: str, seed: int, budget_ms: float) -> None:
        self.space, self.seed, self.budget_ms = space, seed, budget_ms
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(
            study_name=study,
            storage=open_storage(storage),
            directions=["maximize", "minimize", "minimize"],
            sampler=self.sampler(0),
            load_if_exists=True,
        )
        self.asked: dict[int, optuna.Trial] = {}
        self.told = [Trial.from_json(trial.user_attrs[TRIAL]) for trial in self.finished()]
        if not self.study.get_trials(deepcopy=False):
            for architecture in space.seeds:
                self.study.enqueue_trial(space.encode(architecture))
        self.requeue_lost()

    def finished(self) -> list[optuna.trial.FrozenTrial]:
        """Return Optuna's trials that were told."""
        return [trial for trial in self.study.get_trials(deepcopy=False) if TRIAL in trial.user_attrs]

    @property
    def trials(self) -> list[Trial]:
        """Every trial told so far."""
        return list(self.told)

    @property
    def settings(self) -> dict[str, Any]:
        """What `remember` was given last."""
        return dict(self.study.user_attrs.get(SETTINGS, {}))

    def remember(self, settings: dict[str, Any]) -> None:
        """Keep `settings` with the study."""
        self.study.set_user_attr(SETTINGS, settings)

    def ask(self) -> tuple[int, Architecture]:
        """Return a waiting architecture (seeds, and those of lost trials), else a new proposal."""
        everything = self.study.get_trials(deepcopy=False)
        waiting = any(trial.state == TrialState.WAITING for trial in everything)
        number = len(everything)
        front = front_of(self.told)
        if not waiting and front and number % NEIGHBOURS_IN:
            self.study.enqueue_trial(self.neighbour(front, number))
        # A sampler of its own for each trial: Optuna does not save the state of one.
        self.study.sampler = self.sampler(number)
        trial = self.study.ask()
        trial.set_user_attr(WORKER, worker())
        for name, values in self.space.choices.items():
            trial.suggest_categorical(name, values)
        self.asked[trial.number] = trial
        return trial.number, self.space.decode(trial.params)

    def sampler(self, number: int) -> optuna.samplers.BaseSampler:
        """Return the sampler of one trial."""
        return optuna.samplers.TPESampler(
            multivariate=True, n_startup_trials=len(self.space.seeds), seed=derived_seed(self.seed, number) % 2**32
        )

    def neighbour(self, front: list[Trial], number: int) -> dict[str, int | str]:
        """Return a mutation, unseen where possible, of a front member; the better half by PSNR is twice as likely."""
        rng = random.Random(derived_seed(self.seed, number))  # noqa: S311 - no secret
        seen = {trial.architecture.key for trial in self.told}
        best = front[: (len(front) + 1) // 2]
        picks: dict[str, int | str] = {}
        for _ in range(50):
            parent = self.space.encode(rng.choice(front + best).architecture.canonical)
            picks = self.space.mutate(parent, rng, count=rng.choice((1, 1, 2, 3)))
            if self.space.decode(picks).key not in seen:
                break
        return picks

    def tell(self, trial: Trial) -> None:
        """Record the outcome: infeasible as pruned with its constraint, so that the sampler learns from it."""
        asked = self.asked.pop(trial.number)
        if trial.measurement is not None:
            # Set once and just before the tell: Optuna ignores a second value of a constraint.
            asked.set_constraint("runtime", trial.measurement.runtime.p90_ms - self.budget_ms)
        asked.set_user_attr(TRIAL, trial.to_json())
        self.close(trial)
        self.told.append(trial)

    def close(self, trial: Trial) -> None:
        """Give Optuna the outcome of a trial that the record already holds."""
        if trial.state == "trained":
            negative_psnr, runtime_ms, activations = trial.objectives
            self.study.tell(trial.number, [-negative_psnr, runtime_ms, activations])
        else:
            self.study.tell(trial.number, state=TrialState.PRUNED if trial.state == "infeasible" else TrialState.FAIL)

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


def worker() -> str:
    """Return what tells this process apart, as JSON."""
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid()})


def is_lost(text: str | None) -> bool:
    """Tell whether the process that asked for a trial was one of this machine and is no more."""
    if text is None:
        return True
    who = json.loads(text)
    # On Windows a signal 0 would be Ctrl-C.
    if who["host"] != socket.gethostname() or who["pid"] == os.getpid() or os.name == "nt":
        return False
    try:
        os.kill(who["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def derived_seed(seed: int, number: int) -> int:
    """Return a seed for one trial that neighbouring numbers do not share."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:8], "little")
