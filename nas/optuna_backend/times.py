"""When the trials of a study ended, and how many are in hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import optuna
from optuna.trial import TrialState

from nas.optuna_backend.patience import patient
from nas.optuna_backend.storage import open_storage
from nas.optuna_backend.stored import TRIAL


@dataclass(frozen=True)
class TrialTimes:
    """When the trials of a study were worked on.

    Attributes:
        began: When its first trial did, in UTC; None where nobody knows.
        ended: By number how long after that each told trial ended.
        in_hand: How many are being worked on, or were when their process died.
    """

    began: datetime | None = None
    ended: Mapping[int, timedelta] = field(default_factory=dict)
    in_hand: int = 0


@patient
def trial_times(storage: str, name: str | None = None) -> TrialTimes:
    """Return when a study's trials were worked on; nothing of it where it is not there.

    Args:
        storage: The path of a journal or the URL of a database.
        name: The study; None for the only one.

    Raises:
        InputError: Where the storage cannot be opened.
    """
    if "://" not in storage and not Path(storage).is_file():
        return TrialTimes()
    opened = open_storage(storage)
    names = [name] if name is not None else optuna.get_all_study_names(opened)
    if len(names) != 1:
        return TrialTimes()
    trials = optuna.load_study(study_name=names[0], storage=opened).get_trials(deepcopy=False)
    starts = [_utc(each.datetime_start) for each in trials if each.datetime_start is not None]
    if not starts:
        return TrialTimes()
    began = min(starts)
    ended = {each.number: _utc(each.datetime_complete) for each in trials if each.datetime_complete is not None}
    in_hand = sum(each.state == TrialState.RUNNING and TRIAL not in each.user_attrs for each in trials)
    return TrialTimes(began, {number: at - began for number, at in ended.items()}, in_hand)


def _utc(moment: datetime) -> datetime:
    """Return a moment in UTC: Optuna's are of this machine's zone where they name none."""
    return moment.astimezone(UTC)
