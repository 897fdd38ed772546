"""Where studies are kept, and whether one is there."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nas.optuna_backend.storage import has_study, open_storage
from nas.optuna_backend.study import OptunaStudy
from search_spaces.msrresnet import MSRRESNET_SPACE
from sr.errors import InputError


def test_asking_for_a_study_makes_no_journal(tmp_path: Path) -> None:
    where = tmp_path / "folder" / "study.journal"
    assert not has_study(str(where), "s")
    assert list(tmp_path.iterdir()) == []


def test_study_of_another_name_is_not_there(tmp_path: Path) -> None:
    where = str(tmp_path / "study.journal")
    study = OptunaStudy(MSRRESNET_SPACE, "s", where, 100.0)
    # As a process leaves it that is killed here: nobody can go on with it.
    assert not has_study(where, "s")
    study.remember({"phase": "search"})
    assert has_study(where, "s")
    assert not has_study(where, "t")


def test_asking_for_a_study_makes_no_database(tmp_path: Path) -> None:
    assert not has_study(f"sqlite:///{tmp_path / 'study.db'}", "s")
    assert list(tmp_path.iterdir()) == []


def test_processes_that_make_one_database_at_once_all_come_up(tmp_path: Path) -> None:
    where = f"sqlite:///{tmp_path / 'study.db'}"
    with ThreadPoolExecutor(3) as threads:
        made = [threads.submit(OptunaStudy, MSRRESNET_SPACE, "s", where, 100.0) for _ in range(3)]
        assert [each.result().is_new for each in made].count(True) == 1


def test_folder_of_a_journal_is_made(tmp_path: Path) -> None:
    open_storage(str(tmp_path / "new" / "folder" / "study.journal"))
    assert (tmp_path / "new" / "folder").is_dir()


def test_storage_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot open the storage .*study\.journal: .*; give the path of a journal"):
        open_storage(str(tmp_path / "file" / "study.journal"))
    with pytest.raises(InputError, match="cannot open the storage nosuch://"):
        open_storage("nosuch://x")


def test_password_of_a_database_is_not_said() -> None:
    # There is no such driver, so that nothing is connected to.
    with pytest.raises(InputError, match=r"cannot open the storage nosuch://me@host/studies: ") as raised:
        open_storage("nosuch://me:secret@host/studies")
    assert "secret" not in str(raised.value)


def test_address_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"cannot open the storage sqlite://host:port/.*: .*give the path of a journal"
    ):
        has_study(f"sqlite://host:port/{tmp_path}", "s")
