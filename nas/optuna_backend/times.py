"""When the trials of a study ended."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import optuna

from nas.optuna_backend.storage import open_storage


def trial_times(storage: str, name: str | None = None) -> tuple[datetime | None, dict[int, timedelta]]:
    """Return when a study's first trial began, in UTC, and by number how long after that each told trial ended.

    Args:
        storage: The path of a journal or the URL of a database.
        name: The study; None for the only one.

    Raises:
        InputError: Where the storage cannot be opened.
    """
    if "://" not in storage and not Path(storage).is_file():
        return None, {}
    opened = open_storage(storage)
    names = [name] if name is not None else optuna.get_all_study_names(opened)
    if len(names) != 1:
        return None, {}
    trials = optuna.load_study(study_name=names[0], storage=opened).get_trials(deepcopy=False)
    starts = [_utc(each.datetime_start) for each in trials if each.datetime_start is not None]
    if not starts:
        return None, {}
    began = min(starts)
    ended = {each.number: _utc(each.datetime_complete) for each in trials if each.datetime_complete is not None}
    return began, {number: at - began for number, at in ended.items()}


def _utc(moment: datetime) -> datetime:
    """Return a moment in UTC: Optuna's are of this machine's zone where they name none."""
    return moment.astimezone(UTC)
