"""A database that does not answer for a while: waited for, not died of."""

import functools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from sr.errors import InputError
from sr.progress import duration
from sr.waiting import waiting_for

P = ParamSpec("P")
T = TypeVar("T")

# A database that is started again, or a network that is mended, is back sooner.
PATIENCE_SECONDS = 600.0
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.1, 5.0


def is_away(error: BaseException) -> bool:
    """Return whether an error says that the database was not reached, is starting or stopping, or is locked."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if isinstance(cause, OperationalError | InterfaceError):
        return True
    return isinstance(cause, DBAPIError) and cause.connection_invalidated


def database_said(error: BaseException) -> str:
    """Return the first line of what the database said."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    said = getattr(cause, "orig", None) or cause
    return next(iter(str(said).strip().splitlines()), type(said).__name__)


def patient(method: Callable[P, T]) -> Callable[P, T]:
    """Have a method that may be repeated go on as soon as its database answers again.

    What it did before the connection broke may be there or not: it has to come to the same when it begins anew. Ctrl-C
    ends the waiting. Raises InputError after PATIENCE_SECONDS.
    """

    @functools.wraps(method)
    def patiently(*args: P.args, **kwargs: P.kwargs) -> T:
        since, wait = 0.0, _FIRST_WAIT_SECONDS
        while True:
            try:
                return method(*args, **kwargs)
            except Exception as error:
                if not is_away(error):
                    raise
                since = since or time.monotonic()
                if time.monotonic() - since >= PATIENCE_SECONDS:
                    raise InputError(
                        f"the storage has not answered for {duration(PATIENCE_SECONDS)}: {database_said(error)}; once "
                        f"it does, go on with --resume"
                    ) from error
                with waiting_for(f"the storage of the study ({database_said(error)})"):
                    time.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT_SECONDS)

    return patiently
