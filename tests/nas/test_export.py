"""Which network of a search is exported, and that it is, with its own figures."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.export import main
from nas.optuna_backend.study import OptunaStudy
from nas.picking import checkpoint_of, figures_of
from nas.report.run import JOURNAL
from nas.successive_halving import Rung
from nas.trial import Trial
from search_spaces import SPACES
from search_spaces.msrresnet import repeated
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, save
from sr.command import BAD_INPUT, DONE, run
from sr.errors import InputError

FIRST, SECOND = repeated(8, "wide_residual", 1), repeated(8, "branched_conv", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what a search leaves of two candidates, one of which kept its weights, and of the chosen one."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    for path in (folder / "candidates" / f"{FIRST.key}.pth", folder / "chosen" / "network.pth"):
        path.parent.mkdir()
        save(path, Checkpoint(Description("searched", FIRST.to_json()), build(FIRST).state_dict()))
    with (folder / "trials.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ("number", "key"))
        table.writeheader()
        table.writerows([{"number": 3, "key": FIRST.key}, {"number": 4, "key": SECOND.key}])
    return folder


def test_a_pick_is_the_chosen_one_a_number_or_a_key(folder: Path) -> None:
    assert checkpoint_of(folder, "chosen") == folder / "chosen" / "network.pth"
    assert checkpoint_of(folder, "3") == checkpoint_of(folder, FIRST.key) == folder / "candidates" / f"{FIRST.key}.pth"


@pytest.mark.parametrize("pick", ["4", SECOND.key, "5", "../chosen/network"])
def test_what_has_no_weights_is_refused(folder: Path, pick: str) -> None:
    with pytest.raises(InputError, match="keeps no weights of"):
        checkpoint_of(folder, pick)


def test_a_search_that_goes_on_has_no_chosen_network(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no chosen network"):
        checkpoint_of(tmp_path, "chosen")
    with pytest.raises(InputError, match="is no folder of a search"):
        checkpoint_of(tmp_path / "missing", "chosen")


def test_the_command_exports_a_candidate(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, [str(folder), "--pick", "3", "--format", "py", "--out", str(tmp_path)]) == DONE
    assert "of PyTorch" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        "MODEL.md", f"{FIRST.key}.py", f"{FIRST.key}.weights.pt",
    }  # fmt: skip
    assert "Not known for this file" in (tmp_path / "MODEL.md").read_text(), "of its record nothing is here"
    assert run(main, [str(folder), "--pick", "9"]) == BAD_INPUT


@pytest.fixture
def of_record(folder: Path, tmp_path: Path, outcome: Callable[..., Trial]) -> tuple[Path, Trial]:
    """Return such a folder with its record, and what that holds of a candidate that went on to a second rung."""
    run = tmp_path / "run"
    (run / "candidates").mkdir(parents=True)
    (run / "candidates" / f"{FIRST.key}.pth").hardlink_to(folder / "candidates" / f"{FIRST.key}.pth")
    (run / "trials.csv").write_text(f"number,key\n0,{FIRST.key}\n", encoding="utf-8")
    study = OptunaStudy(SPACES["msrresnet"], "search", str(run / JOURNAL), 60_000.0)
    study.remember({"phase": "done"})
    number, _ = study.ask(lambda _number, _trials: SPACES["msrresnet"].encode(FIRST))
    trial = outcome(number, FIRST)
    trial = replace(trial, rungs=(Rung(390, trial.psnr, 1.0), Rung(1560, trial.psnr + 0.5, 3.0)))
    study.tell(trial)
    return run, trial


def test_card_of_a_candidate_has_its_own_figures(of_record: tuple[Path, Trial], tmp_path: Path) -> None:
    run_folder, trial = of_record
    out = tmp_path / "out"
    assert run(main, [str(run_folder), "--pick", "0", "--format", "safetensors", "--out", str(out)]) == DONE
    card = (out / "MODEL.md").read_text(encoding="utf-8")
    assert trial.measurement is not None
    assert f"| network | {trial.psnr + 0.5:.2f} |  |  |" in card
    assert "On the centres of 3 validation pictures after a short training of 1,560 steps, 8 bits" in card
    assert f"| torch | {trial.measurement.runtime.median_ms:.1f} |" in card
    assert "Not known for this file" not in card


def test_figures_of_a_candidate_are_those_of_the_weights_that_it_kept(of_record: tuple[Path, Trial]) -> None:
    run_folder, trial = of_record
    found = figures_of(run_folder, FIRST.key)
    assert found == figures_of(run_folder, "0", str(run_folder / JOURNAL))
    assert found is not None
    assert found["quality"]["psnr"] == trial.last_psnr
    assert figures_of(run_folder, "chosen") is None, "they lie beside it"
    assert figures_of(run_folder, "1") is None
