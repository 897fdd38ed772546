"""What a pruning would do and take; nothing is written."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from skimage import data

from prune.config import PruneConfig
from prune.cost_estimate import estimate_cost
from prune.setup import Timing
from sr.checkpoint import Checkpoint, Description, save
from sr.errors import InputError
from sr.measure.latency import Protocol
from tests.prune.by_multi_adds import by_multi_adds

BRIEF = Protocol(seconds=0.0, minimum_runs=3, idle_seconds=0.0)
TIMING = Timing(BRIEF, BRIEF, by_multi_adds)
DESCRIPTION = Description("baseline", {"name": "msrresnet", "num_feat": 4, "num_block": 1})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folder")
    for part, picture in (("train", data.astronaut()[100:260, 100:260]), ("val", data.chelsea()[100:180, 100:180])):
        (folder / part).mkdir()
        Image.fromarray(picture).save(folder / part / "picture.png")
    torch.manual_seed(0)
    save(folder / "net.pth", Checkpoint(DESCRIPTION, DESCRIPTION.build().state_dict()))
    return folder


def asked(folder: Path, **changes: Any) -> PruneConfig:
    common = PruneConfig(
        batch=2, patch=8, lr_size=(24, 24), device="cpu", engine="torch", data=folder / "train", val=folder / "val",
        out=folder / "out",
    )  # fmt: skip
    return replace(common, **changes)


@pytest.mark.parametrize("limit", [900.0, None])
def test_it_tells_what_would_be_done_and_writes_nothing(limit: float | None, folder: Path) -> None:
    cache = Path(os.environ["XDG_CACHE_HOME"])
    before = sorted(cache.rglob("*"))
    lines = estimate_cost(folder / "net.pth", asked(folder, ratio=0.45, rounds=3, time_limit=limit), timing=TIMING)
    network, out = folder / "net.pth", folder / "out"
    methods = "per-layer (shared), group, magnitude"
    assert lines[0] == f"{network} would be pruned to 0.45 of its runtime by {methods}, in torch; results in {out}"
    assert lines[1].startswith("first, once for this device, what steps take: ")
    assert lines[2].startswith("plan: 3 rounds of 30 + 100 steps by 3 methods ")
    assert lines[-1].startswith("about ")
    assert not (folder / "out").exists()
    assert sorted(cache.rglob("*")) == before


def test_counts_need_no_table(folder: Path) -> None:
    config = asked(folder, targets=("params",), budget=900.0, methods=("per-layer",), tick_steps=5, fine_tune_steps=0)
    lines = estimate_cost(folder / "net.pth", config, timing=TIMING)
    assert "would be pruned to params 900 by per-layer (shared), in torch" in lines[0]
    assert [line for line in lines if line.startswith("plan: 8 rounds of 5 + 100 steps by 1 method ")]
    assert len(lines) == 3


def test_a_network_within_its_limit_is_one_line(folder: Path) -> None:
    with pytest.raises(InputError, match="within its limit already: runtime is"):
        estimate_cost(folder / "net.pth", asked(folder, budget=1e6), timing=TIMING)


def test_a_checkpoint_that_is_not_there_is_one_line(folder: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint at"):
        estimate_cost(folder / "absent.pth", asked(folder))
