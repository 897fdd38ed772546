"""The command, whole: a few networks in full, every score ranked, and the same figures when it goes on."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas import calibrate, raising
from nas.calibrate import drawn, main, parse
from nas.calibration import Known
from nas.jobs import Desk
from nas.rungs import Ladder
from nas.supernet import Population
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from sr.command import BAD_INPUT, DONE, INTERRUPTED, run
from sr.errors import InputError

SPACE = replace(
    MSRRESNET_SPACE, num_feat=(8, 12), positions=3, upsampler=("one_step",), aggregation=("none",),
    seeds=(repeated(8, "branched_conv", 1),),
)  # fmt: skip
TINY = ["--budget-ms", "1000", "--networks", "8", "--steps", "16", "--lr-size", "16x16", "--batch", "2", "--patch", "6"]


def arguments(out: Path, *more: str) -> list[str]:
    return [*TINY, "--out", str(out), *more]


def taus(path: Path) -> dict[str, Any]:
    return {each["name"]: each["tau"] for each in json.loads(path.read_text())["rankings"]}


@pytest.fixture(scope="module", autouse=True)
def _little_work() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sr.timing.LONGEST_MS", 0.0)
        patch.setattr(raising, "DRAWS", 40)
        patch.setattr(raising, "FEWEST_STEPS", 3)
        patch.setattr(raising, "PLANNING_STEPS", 2)
        # Wider networks than these take long to train and show nothing else.
        patch.setattr(calibrate, "SPACES", {"msrresnet": SPACE})
        yield


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration that was stopped after its third network, and then went on."""
    out = tmp_path_factory.mktemp("calibrated")
    begun: list[str] = []
    whole = calibrate.in_full

    def stopped(desk: Desk, architecture: Architecture, *, ladder: Ladder, folder: Path) -> Known:
        begun.append(architecture.key)
        if len(begun) == 4:
            raise KeyboardInterrupt
        return whole(desk, architecture, ladder=ladder, folder=folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate, "in_full", stopped)
        assert run(main, arguments(out)) == INTERRUPTED
    assert len(json.loads((out / "networks.json").read_text())) == 3
    assert run(main, arguments(out, "--json", str(out / "figures.json"))) == DONE
    return out


def test_everything_promised_is_there(calibrated: Path) -> None:
    figures = json.loads((calibrated / "figures.json").read_text())
    assert figures == json.loads((calibrated / "calibration.json").read_text())
    assert {"device", "versions", "date", "command", "rankings", "networks", "settings"} <= set(figures)
    assert len({json.dumps(each["architecture"]) for each in figures["networks"]}) == 8
    names = [each["name"] for each in figures["rankings"]]
    assert {"multi_adds", "rung 0", "rung 1", "supernet", "regression + supernet + rung 0"} <= set(names)
    for each in figures["rankings"]:
        assert each["tau"] is None or -1 <= each["low"] <= each["tau"] <= each["high"] <= 1
    page = (calibrated / "calibration.html").read_text()
    assert "Which cheap score to believe" in page
    assert all(name in page for name in names)


def test_run_again_it_gives_the_same(calibrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = json.loads((calibrated / "figures.json").read_text())
    assert run(main, arguments(calibrated, "--json", str(calibrated / "again.json"))) == DONE
    again = json.loads((calibrated / "again.json").read_text())
    assert taus(calibrated / "again.json") == taus(calibrated / "figures.json")
    assert (again["rankings"], again["networks"]) == (before["rankings"], before["networks"])
    printed = capsys.readouterr().out
    assert "network 1 of 8" not in printed
    assert "rung 0: " in printed


def test_a_supernet_that_was_stopped_becomes_the_same(calibrated: Path) -> None:
    (calibrated / "supernet.json").unlink()
    assert run(main, arguments(calibrated, "--json", str(calibrated / "again.json"))) == DONE
    assert taus(calibrated / "again.json") == taus(calibrated / "figures.json")


def test_another_calibration_has_a_folder_of_its_own(calibrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, arguments(calibrated, "--seed", "3")) == BAD_INPUT
    assert "is of another calibration (recipe differ); name another --out" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["networks.json", "supernet.json", "recipe.json"])
def test_a_broken_file_is_named(name: str, calibrated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = calibrated / name
    kept = path.read_text()
    path.write_text("{")
    try:
        assert run(main, arguments(calibrated)) == BAD_INPUT
    finally:
        path.write_text(kept)
    errors = capsys.readouterr().err
    assert str(path) in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--networks", "7"], "--networks must be at least 8 to tell an order, got 7"),
        (["--steps", "0"], "--steps must be at least 1, got 0"),
        (["--rungs", "0"], "--rungs must be at least 1, got 0"),
    ],
)
def test_too_little_is_refused(flags: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse(["--budget-ms", "40", *flags])


def test_a_ladder_needs_its_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, arguments(tmp_path / "out", "--steps", "4")) == BAD_INPUT
    assert "each rung must take more steps than the one before" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_budget_that_too_few_networks_meet_is_named() -> None:
    one = repeated(8, "branched_conv", 1)
    population = Population(lambda _: one, one, one, 8, 1)
    assert drawn(population, 1, 0) == [one]
    with pytest.raises(InputError, match="only 1 networks are within reach of the budget, asked for 8; raise --budget"):
        drawn(population, 8, 0)
