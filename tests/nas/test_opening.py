import argparse
from pathlib import Path

import pytest

from nas.opening import check_settings, is_begun, storage_of
from nas.optuna_engine import OptunaEngine
from search_spaces.msrresnet import MSRRESNET_SPACE
from sr.errors import InputError


def arguments(out: Path, *, resume: bool = False, storage: str | None = None) -> argparse.Namespace:
    return argparse.Namespace(out=out, resume=resume, storage=storage, study="search", given=["--budget-ms", "40"])


def test_a_study_lies_in_the_folder_of_results_or_where_it_is_told_to(tmp_path: Path) -> None:
    assert storage_of(arguments(tmp_path)) == str(tmp_path / "study.journal")
    assert storage_of(arguments(tmp_path, storage="sqlite:///a.db")) == "sqlite:///a.db"


def test_beginning_and_going_on_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no study 'search' in .* to resume; leave --resume out"):
        is_begun(arguments(tmp_path, resume=True))
    assert not is_begun(arguments(tmp_path))
    assert (tmp_path / "command.txt").read_text() == "python -m nas.search --budget-ms 40\n"
    OptunaEngine(MSRRESNET_SPACE, "search", storage_of(arguments(tmp_path)), 0, 40.0)
    assert is_begun(arguments(tmp_path, resume=True))
    with pytest.raises(InputError, match=r"is already in .*; go on with --resume, or name another --out"):
        is_begun(arguments(tmp_path))


def test_settings_that_changed_are_named() -> None:
    kept = {"budget_ms": 40.0, "engine": "mixed"}
    check_settings(kept | {"phase": "training"}, kept)
    with pytest.raises(InputError, match=r"its budget_ms was 40\.0 and is now 50\.0; give the same flags"):
        check_settings(kept, kept | {"budget_ms": 50.0})
    with pytest.raises(InputError, match="its quality was None and is now train"):
        check_settings(kept, kept | {"quality": "train"})
