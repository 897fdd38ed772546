"""Processes of one study hear each other: who came first, and who is there no more."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nas.optuna_backend.hearts import Hearts
from nas.optuna_backend.storage import open_storage
from nas.optuna_backend.stored import opened


@pytest.fixture
def heart(tmp_path: Path) -> Callable[[], Hearts]:
    """Return what makes the hearts of one study as another process has them."""

    def of_another() -> Hearts:
        storage = open_storage(str(tmp_path / "study.journal"))
        study, _ = opened("s", storage)
        return Hearts(study, storage, storage.get_study_id_from_name("s"))

    return of_another


def test_others_are_those_that_joined_and_did_not_leave(heart: Callable[[], Hearts]) -> None:
    first, second = heart(), heart()
    assert first.others() == {}
    first.join()
    assert (first.others(), list(second.others())) == ({}, [first.id])
    second.join()
    assert list(first.others()) == [second.id]
    first.leave()
    assert second.others() == {}


def test_heart_that_left_stands_still_though_its_thread_comes_late(heart: Callable[[], Hearts]) -> None:
    first, second = heart(), heart()
    first.join()
    first.leave()
    first._beat()
    assert second.others() == {}
    first.join()
    assert list(second.others()) == [first.id]


def test_heir_is_who_came_first_of_those_that_go_on(heart: Callable[[], Hearts]) -> None:
    hearts = [heart() for _ in range(3)]
    for each in hearts:
        each.join()
    assert [each.is_heir(each.others()) for each in hearts] == [True, False, False]
    hearts[0].leave()
    assert [each.is_heir(each.others()) for each in hearts[1:]] == [True, False]
