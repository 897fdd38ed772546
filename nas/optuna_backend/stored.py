"""What lies in Optuna's storage of a study, and what it says."""

import contextlib
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from nas.optuna_backend.owner import id_of

# The keys of what is kept with a trial: its outcome, whose it is, that it stood in the queue and no sampler proposed
# it, and that it was closed for nothing to come of it.
TRIAL, WORKER, QUEUED, DROPPED = "trial", "worker", "queued", "dropped"
# And with a study: how far each process has counted, until it left.
ALIVE, LEFT = "alive/", -1


def opened(name: str, storage: BaseStorage) -> tuple[optuna.Study, bool]:
    """Return the study of a name, and whether it was made here: of several processes that make it one does."""
    # Never draws: every trial is enqueued with all of its picks.
    sampler = RandomSampler(seed=0)
    with contextlib.suppress(KeyError):
        return optuna.load_study(study_name=name, storage=storage, sampler=sampler), False
    try:
        directions = ["maximize", "minimize", "minimize"]
        return optuna.create_study(study_name=name, storage=storage, directions=directions, sampler=sampler), True
    except DuplicatedStudyError:
        return optuna.load_study(study_name=name, storage=storage, sampler=sampler), False


def begun(everything: Sequence[FrozenTrial]) -> int:
    """Return how many trials were told or are worked on."""
    return sum(TRIAL in trial.user_attrs or trial.state == TrialState.RUNNING for trial in everything)


def picks_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return the picks that a trial was queued with; none where it was not."""
    return dict(trial.system_attrs.get("fixed_params", {}))


def heart_of(trial: FrozenTrial) -> str:
    """Return what is listened to for a trial: the heart of its process, its own silence where none signed it."""
    who = id_of(trial.user_attrs.get(WORKER))
    return ALIVE + who if who else f"trial {trial.number}"


def is_live(trial: FrozenTrial) -> bool:
    """Return whether a trial was told, is worked on, or waits."""
    return TRIAL in trial.user_attrs or not trial.state.is_finished()


def closed_for_nothing(trial: FrozenTrial) -> bool:
    """Return whether a trial was given back and so has to stand in the queue again under another number."""
    return trial.state == TrialState.FAIL and not {TRIAL, DROPPED} & trial.user_attrs.keys()


def advanced_key(number: int) -> str:
    """Return the key under which a study keeps the later rungs of a trial."""
    return f"{TRIAL}/{number}"
