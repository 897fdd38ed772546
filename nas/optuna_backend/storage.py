"""Where Optuna keeps studies: a journal by its path, or a database by its URL."""

import random
import time
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from nas.optuna_backend.journal import Journal
from nas.optuna_backend.patience import database_said, patient
from sr.addresses import without_password
from sr.errors import InputError

# What SQLAlchemy makes of what is none: a port that is no number is left to Python.
_NO_URL = (ArgumentError, ValueError)
# What a study remembers about itself is kept under this key with it.
SETTINGS = "settings"
# Processes that make the tables of one database at once get into each other's way, each time another one.
_ATTEMPTS, _WAIT_SECONDS = 6, 0.2
# For as long SQLite waits for another process that writes.
_SQLITE_SECONDS = 60
# For PostgreSQL's own library: a connection whose other end is gone without a word is given up after a minute.
_POSTGRESQL = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


def open_storage(storage: str) -> BaseStorage:
    """Open a database by its URL or a journal by its path; raises InputError where that fails."""
    # What it warns of, such as a connection that broke, is waited for or said here.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        if "://" in storage:
            return _database(storage)
        Path(storage).parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(Journal(storage))
    except InputError:
        raise
    except Exception as error:
        detail = database_said(error)
        raise InputError(
            f"cannot open the storage {without_password(storage)}: {detail}; give the path of a journal or a URL"
        ) from error


@patient
def has_study(storage: str, study: str) -> bool:
    """Return whether `storage` already holds this study with what it was begun with, without making anything.

    A process that was killed while it made one leaves a study that knows of nothing, which is as good as none.
    """
    if not is_there(storage):
        return False
    opened = open_storage(storage)
    if study not in optuna.get_all_study_names(opened):
        return False
    return SETTINGS in optuna.load_study(study_name=study, storage=opened).user_attrs


def is_there(storage: str) -> bool:
    """Return whether there is a file of a storage; True where it is in none."""
    if "://" not in storage:
        return Path(storage).exists()
    try:
        url = make_url(storage)
    except _NO_URL:
        # Opening it says what is wrong.
        return True
    return url.get_backend_name() != "sqlite" or url.database is None or Path(url.database).exists()


def _database(url: str) -> RDBStorage:
    """Open a database, and make its tables where nobody did before or does right now."""
    for attempt in range(_ATTEMPTS):
        try:
            return RDBStorage(url, engine_kwargs=_engine_arguments(url))
        except ArgumentError:
            raise
        except (SQLAlchemyError, StorageInternalError):
            if attempt + 1 == _ATTEMPTS:
                raise
        time.sleep(_WAIT_SECONDS * (attempt + random.random()))  # noqa: S311 - no secret
    raise AssertionError


def _engine_arguments(url: str) -> dict[str, Any]:
    """Return how SQLAlchemy is to connect: patiently, and never by a connection that is no more."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": _SQLITE_SECONDS}}
    by_libpq = parsed.get_driver_name() in ("psycopg", "psycopg2")
    return {"pool_pre_ping": True} | ({"connect_args": dict(_POSTGRESQL)} if by_libpq else {})
