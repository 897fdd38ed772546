"""Which network of a search is exported, and that it is."""

import csv
from pathlib import Path

import pytest
import torch

from nas.export import main
from nas.picking import checkpoint_of
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
    assert run(main, [str(folder), "--pick", "9"]) == BAD_INPUT
