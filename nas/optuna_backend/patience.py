"""A database that does not answer for a while: waited for, not died of."""

import functools
import time
from collections.abc import Callable, Iterator
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
    """Return whether an error says that the database was not reached, is starting or stopping, or is locked.

    What it was raised from counts, and what was handled as it was raised: Optuna asks again over a connection that
    broke in the middle, to which SQLAlchemy says no more than that its transaction is to be rolled back.
    """
    # An InputError has said it to the user, after what waiting there was to be.
    return not isinstance(error, InputError) and any(_says_away(each) for each in _behind(error))


def _says_away(error: BaseException) -> bool:
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those behind it, as Python shows them in a traceback, the last one first."""
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__ if each.__suppress_context__ else each.__context__


def database_said(error: BaseException) -> str:
    """Return the first line of what the database said."""
    said: object = next((each for each in _behind(error) if _says_away(each)), None)
    if said is None:
        said = error.__cause__ if isinstance(error, StorageInternalError) else error
    said = getattr(said, "orig", None) or said
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
