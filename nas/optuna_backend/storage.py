"""Where Optuna keeps studies: a journal by its path, or a database by its URL."""

from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from sr.errors import InputError


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
    """Return whether `storage` already holds this study, without making anything."""
    if "://" not in storage and not Path(storage).exists():
        return False
    return study in optuna.get_all_study_names(open_storage(storage))
