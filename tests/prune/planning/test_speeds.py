"""What each part takes: steps are timed, what comes last follows from runtimes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from skimage import data

from prune.config import PruneConfig
from prune.planning.speeds import finish_seconds, measuring_seconds, timed
from prune.setup import Setup, Timing, set_up
from sr.checkpoint import Checkpoint, Description, save
from sr.measure.latency import Protocol
from sr.progress import no_report
from sr.training.recipe import PRECISIONS
from tests.prune.by_multi_adds import by_multi_adds

BRIEF = Protocol(seconds=0.0, minimum_runs=3, idle_seconds=0.0)
TIMING = Timing(BRIEF, BRIEF, by_multi_adds)
DESCRIPTION = Description("baseline", {"name": "msrresnet", "num_feat": 4, "num_block": 1})


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[PruneConfig, Setup]:
    """Return a small pruning to half of the parameters, with distillation."""
    folder = tmp_path_factory.mktemp("folder")
    for part, picture in (("train", data.astronaut()[100:260, 100:260]), ("val", data.chelsea()[100:180, 100:180])):
        (folder / part).mkdir()
        Image.fromarray(picture).save(folder / part / "picture.png")
    torch.manual_seed(0)
    save(folder / "net.pth", Checkpoint(DESCRIPTION, DESCRIPTION.build().state_dict()))
    config = PruneConfig(
        targets=("params",), batch=2, patch=8, lr_size=(24, 24), device="cpu", engine="torch", data=folder / "train",
        val=folder / "val", out=Path("unused"), distillation=0.5,
    )  # fmt: skip
    return config, set_up(folder / "net.pth", config, no_report, TIMING)[1]


def test_every_part_takes_time_and_leaves_the_network_as_it_is(begun: tuple[PruneConfig, Setup]) -> None:
    config, setup = begun
    before = {name: tensor.clone() for name, tensor in setup.dense().state_dict().items()}
    speeds, autotuned = timed(config, setup, 3)
    parts = (speeds.tick, speeds.tock, speeds.fine_tune, speeds.selection, speeds.measuring, speeds.finish)
    assert all(seconds > 0 for seconds in parts)
    assert autotuned["precision"] in PRECISIONS
    after = setup.dense().state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_a_slower_network_takes_longer_to_compare(begun: tuple[PruneConfig, Setup]) -> None:
    config, setup = begun
    slower = replace(setup, dense_ms=setup.dense_ms + 1000.0)
    assert finish_seconds(slower, 4) > finish_seconds(setup, 4) > finish_seconds(setup, 2)
    runtime = replace(config, targets=("runtime",))
    assert measuring_seconds(runtime, slower) > measuring_seconds(runtime, setup) > measuring_seconds(config, setup)
    # With a floor nothing is chosen by measuring.
    floor = replace(runtime, psnr_floor=20.0)
    assert measuring_seconds(floor, slower) == measuring_seconds(config, setup)
