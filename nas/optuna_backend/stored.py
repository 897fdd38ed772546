"""What lies in Optuna's storage of a study, and what it says."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from nas.optuna_backend.owner import id_of
from nas.optuna_backend.patience import patient
from nas.optuna_backend.storage import SETTINGS, is_there, open_storage
from nas.trial import Trial
from sr.addresses import without_password
from sr.errors import InputError

# The keys of what is kept with a trial: its outcome, whose it is, that it stood in the queue and no sampler proposed
# it, and that it was closed for nothing to come of it.
TRIAL, WORKER, QUEUED, DROPPED = "trial", "worker", "queued", "dropped"
# And with a study: how far each process has counted, until it left.
ALIVE, LEFT = "alive/", -1
# Of what kind the settings of a study are that whoever reads them takes for granted.
_KINDS: dict[str, type | tuple[type, ...]] = {
    "space": str, "sampler": str, "fidelity": str, "phase": str, "budget_ms": (int, float), "scale": int,
    "recipe": dict, "conditions": dict, "pictures": dict, "final_recipe": dict, "workers": int,
}  # fmt: skip
# PSNR, runtime, activations.
_DIRECTIONS = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE, StudyDirection.MINIMIZE)


def opened(name: str, storage: BaseStorage) -> tuple[optuna.Study, bool]:
    """Return the study of a name, and whether it was made here: of several processes that make it one does."""
    # Never draws: every trial is enqueued with all of its picks.
    sampler = RandomSampler(seed=0)
    with contextlib.suppress(KeyError):
        return optuna.load_study(study_name=name, storage=storage, sampler=sampler), False
    try:
        return optuna.create_study(study_name=name, storage=storage, directions=_DIRECTIONS, sampler=sampler), True
    except DuplicatedStudyError:
        return optuna.load_study(study_name=name, storage=storage, sampler=sampler), False


def begun(everything: Sequence[FrozenTrial]) -> int:
    """Return how many trials were told or are worked on."""
    return sum(TRIAL in trial.user_attrs or trial.state == TrialState.RUNNING for trial in everything)


def picks_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return the picks that a trial was queued with; none where it was not, or its space has none to make."""
    return dict(trial.system_attrs.get("fixed_params", {}))


def was_queued(trial: FrozenTrial) -> bool:
    """Return whether a trial stood in Optuna's queue, as all of ours do."""
    return "fixed_params" in trial.system_attrs


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


def settings_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study remembers: what it was begun with, and over it what was added, call by call."""
    added = sorted(name for name in attributes if name.startswith(f"{SETTINGS}/"))
    settings = dict(attributes.get(SETTINGS, {}))
    for name in added:
        settings |= attributes[name]
    return settings


def key_to_remember(attributes: Mapping[str, Any], who: str) -> str:
    """Return the key under which a process is to keep what a study remembers from now on: no other one's."""
    if SETTINGS not in attributes:
        return SETTINGS
    count = sum(name.startswith(f"{SETTINGS}/") for name in attributes)
    return f"{SETTINGS}/{count:06}/{who}"


@patient
def recorded(storage: str) -> tuple[dict[str, Any], list[Trial]]:
    """Return the settings and the trials, by number, of the only study in a storage, which stays as it is.

    Raises:
        InputError: Where there is none that was begun, or more than one.
    """
    where = without_password(storage)
    names = optuna.get_all_study_names(open_storage(storage)) if is_there(storage) else []
    if len(names) != 1:
        raise InputError(f"{where} holds {len(names)} studies, and one is wanted; name the folder of a search")
    study = optuna.load_study(study_name=names[0], storage=open_storage(storage))
    advanced = study.user_attrs
    if SETTINGS not in advanced:
        raise InputError(f"{where} holds a study that was killed while it was made; name the folder of another search")
    told = [each for each in study.get_trials(deepcopy=False) if TRIAL in each.user_attrs]
    try:
        settings = settings_of(advanced)
        check_settings(settings)
        return settings, [
            Trial.from_json(advanced.get(advanced_key(each.number), each.user_attrs[TRIAL])) for each in told
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where} holds what no search of this version leaves: {error}; take its copy") from error


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise TypeError or ValueError where settings of a study are not of their kind, as somebody may change a record.

    What an earlier version did not keep is not missed.
    """
    if not isinstance(settings, Mapping):
        raise TypeError(f"its settings cannot be {settings!r:.80}")
    for name, value, kind in _kinds_of(settings):
        # To Python True is a whole number.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"its {name} cannot be {value!r:.80}")
    size = settings.get("conditions", {}).get("lr_size", [1, 1])
    if not isinstance(size, list) or [type(side) for side in size] != [int, int]:
        raise ValueError(f"its LR size cannot be {size!r:.80}")


def _kinds_of(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any, type | tuple[type, ...]]]:
    """Yield what of the settings is there, outer values first, with the kind that each is to be of."""
    for name, kind in _KINDS.items():
        if name in settings:
            yield name, settings[name], kind
    for part, pictures in settings.get("pictures", {}).items():
        yield f"pictures for {part}", pictures, Mapping
        yield f"number of pictures for {part}", pictures.get("count"), int
        yield f"fingerprint of the pictures for {part}", pictures.get("fingerprint"), str
    if "steps" in settings.get("final_recipe", {}):
        yield "steps", settings["final_recipe"]["steps"], int
