"""What the record of a search under faults is held against."""

import runpy
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.optuna_backend.stored import recorded
from nas.optuna_backend.study import OptunaStudy
from search_spaces import SPACES

_BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
_NOTHING_WRONG = {"lost": 0, "twice": 0, "unexplained": 0, "front_is_the_same": True}


@pytest.fixture(scope="module")
def verdict() -> Any:
    """Return the function of that name."""
    return runpy.run_path(str(_BENCHMARKS / "faults_verdict.py"))["verdict"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a search of four trained candidates."""
    made = tmp_path_factory.mktemp("search")
    runpy.run_path(str(_BENCHMARKS / "fuzz_files.py"))["searched"](made)
    return made


@pytest.fixture
def told(folder: Path) -> list[dict[str, Any]]:
    """Return what a process says that it told."""
    _, trials = recorded(str(folder / "study.journal"))
    return [{"told": each.number, "key": each.architecture.key, "state": each.state} for each in trials]


def test_a_whole_record_has_nothing_wrong(verdict: Any, folder: Path, told: list[dict[str, Any]]) -> None:
    found = verdict(str(folder / "study.journal"), told, [folder / "front.csv"])
    assert found.items() >= _NOTHING_WRONG.items()
    assert (found["trials"], found["states"]) == (4, {"trained": 4})


def test_what_is_lost_or_done_twice_is_counted(verdict: Any, folder: Path, told: list[dict[str, Any]]) -> None:
    journal, fronts = str(folder / "study.journal"), [folder / "front.csv"]
    assert verdict(journal, [*told, told[0] | {"told": 4}], fronts)["lost"] == 1
    assert verdict(journal, [told[0] | {"key": "another"}, *told[1:]], fronts)["lost"] == 1
    assert verdict(journal, [*told, told[0]], fronts)["twice"] == 1
    # It was put off first, and told again.
    assert verdict(journal, [*told, told[0] | {"state": "put off"}], fronts)["twice"] == 0


def test_a_trial_that_came_to_no_end_or_does_not_say_why_is_counted(
    verdict: Any, folder: Path, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    journal = tmp_path / "study.journal"
    shutil.copy(folder / "study.journal", journal)
    study = OptunaStudy(SPACES["msrresnet"], "search", str(journal), 100.0)
    put_off, failed, _ = study.trials[:3]
    study.advance(replace(put_off, state="put off", reason="the device is busy"))
    study.advance(replace(failed, state="failed", measurement=None))
    study.ask(lambda *_: SPACES["msrresnet"].encode(study.trials[0].architecture))
    assert verdict(str(journal), told, [folder / "front.csv"])["unexplained"] == 3


def test_the_front_that_was_written_last_is_held_against_the_record(
    verdict: Any, folder: Path, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    lines = (folder / "front.csv").read_text().splitlines()
    other = tmp_path / "front.csv"
    other.write_text("\n".join(lines[:-1]) + "\n")
    fronts = [other, folder / "front.csv"]
    assert not verdict(str(folder / "study.journal"), told, fronts)["front_is_the_same"]
