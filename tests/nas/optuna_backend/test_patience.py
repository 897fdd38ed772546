"""A database that does not answer for a while."""

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError, PendingRollbackError, ProgrammingError

from nas.optuna_backend.patience import database_said, is_away, patient
from sr.errors import InputError

AWAY = OperationalError("SELECT 1", {}, Exception("connection refused\nIs the server running?"))


def wrapped(error: Exception) -> StorageInternalError:
    outer = StorageInternalError("An exception is raised during the commit.")
    outer.__cause__ = error
    return outer


def test_what_says_that_the_database_is_away_is_told_from_what_will_not_mend() -> None:
    assert is_away(AWAY)
    assert is_away(wrapped(AWAY))
    assert is_away(ProgrammingError("", {}, Exception(), connection_invalidated=True))
    assert not is_away(wrapped(ProgrammingError("SELECT", {}, Exception("no such table"))))
    assert not is_away(ValueError("no"))
    assert database_said(wrapped(AWAY)) == "connection refused"


def test_what_follows_from_a_connection_that_broke_is_told_as_the_break() -> None:
    follows = PendingRollbackError("Can't reconnect until invalid transaction is rolled back")
    assert not is_away(wrapped(follows))
    # As Optuna meets it that reads trials by a slower way after the first one failed.
    follows.__context__ = AWAY
    assert is_away(wrapped(follows))
    assert database_said(wrapped(follows)) == "connection refused"


def test_what_was_said_to_the_user_is_not_waited_for() -> None:
    said = InputError("cannot open the storage")
    said.__cause__ = AWAY
    assert not is_away(said)


def test_method_goes_on_once_the_database_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.optuna_backend.patience._FIRST_WAIT_SECONDS", 0.001)
    answers = iter([AWAY, wrapped(AWAY), None])

    @patient
    def work(value: int) -> int:
        if error := next(answers):
            raise error
        return value

    assert work(3) == 3
    assert list(answers) == []


def test_what_will_not_mend_is_raised_and_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    @patient
    def work(error: Exception) -> None:
        raise error

    with pytest.raises(ValueError, match="no"):
        work(ValueError("no"))
    monkeypatch.setattr("nas.optuna_backend.patience.PATIENCE_SECONDS", 0.0)
    with pytest.raises(InputError, match=r"the storage has not answered for .*: connection refused; .* --resume"):
        work(AWAY)
