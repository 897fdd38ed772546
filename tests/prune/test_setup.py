"""What all methods share: limits, rounds, pictures, and the dense network with the weights that all begin with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from skimage import data

from prune.asked import keep
from prune.config import PruneConfig
from prune.planning.time_plan import Steps
from prune.setup import FLOOR_ROUNDS, FLOOR_STEP, Setup, Timing, asked_steps, fine_tuning, set_up
from search_spaces.architecture import Architecture, Block
from sr.checkpoint import Checkpoint, Description, save
from sr.errors import InputError
from sr.measure.latency import Protocol
from sr.progress import Event, Message, no_report
from tests.prune.by_multi_adds import by_multi_adds

BRIEF = Protocol(seconds=0.0, minimum_runs=3, idle_seconds=0.0)
DESCRIPTION = Description("baseline", {"name": "msrresnet", "num_feat": 8, "num_block": 1})


TIMING = Timing(BRIEF, BRIEF, by_multi_adds)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a checkpoint and pictures: one to train on, one too small for that, one to validate on."""
    folder = tmp_path_factory.mktemp("folder")
    pictures = {"train/large": data.astronaut()[:160, :144], "train/small": data.astronaut()[:120, :160],
                "val/picture": data.chelsea()[:80, :80]}  # fmt: skip
    for name, picture in pictures.items():
        path = folder / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(picture).save(path)
    torch.manual_seed(0)
    save(folder / "net.pth", Checkpoint(DESCRIPTION, DESCRIPTION.build().state_dict()))
    return folder


def asked(folder: Path, **changes: Any) -> PruneConfig:
    params = PruneConfig(
        targets=("params",), batch=2, patch=8, lr_size=(24, 24), device="cpu", engine="torch", data=folder / "train",
        val=folder / "val", learning_rate=0.5, seed=3,
    )  # fmt: skip
    return replace(params, **changes)


def shared_by_all(folder: Path, **changes: Any) -> Setup:
    return set_up(folder / "net.pth", asked(folder, **changes), no_report, TIMING)[1]


def test_the_dense_network_is_described_and_told_of(folder: Path) -> None:
    events: list[Event] = []
    description, setup = set_up(folder / "net.pth", asked(folder), events.append, TIMING)
    assert description == DESCRIPTION
    told = [event.text for event in events if isinstance(event, Message)]
    assert [line for line in told if f"net.pth: {len(setup.graph.convs())} convolutions" in line]


def test_pictures_too_small_to_train_on_are_left_out(folder: Path) -> None:
    setup = shared_by_all(folder)
    # LR sides of 40 and 36; those of 30 and 40 are left out.
    assert len(setup.train.lr) == 1
    assert setup.train.smallest_side() == 36
    assert setup.val.smallest_side() == 20


def test_pictures_are_of_the_scale_of_the_network(folder: Path, tmp_path: Path) -> None:
    description = Description("searched", Architecture(8, (Block("residual_relu"),), scale=2).to_json())
    save(tmp_path / "net.pth", Checkpoint(description, description.build().state_dict()))
    found, setup = set_up(tmp_path / "net.pth", asked(folder), no_report, TIMING)
    assert found == description
    assert (setup.train.scale, setup.val.scale) == (2, 2)
    # An LR twice as large as at x4: what was too small to train on is large enough.
    assert (len(setup.train), setup.val.smallest_side()) == (2, 40)
    with torch.no_grad():
        assert setup.dense()(torch.rand(1, 3, 24, 24)).shape == (1, 3, 48, 48)


@pytest.mark.parametrize(("changes", "share"), [({}, 0.5), ({"ratio": 0.25}, 0.25)])
def test_a_ratio_is_of_what_the_dense_network_costs(changes: dict[str, Any], share: float, folder: Path) -> None:
    setup = shared_by_all(folder, **changes)
    assert setup.limits == {"params": share * setup.costs.dense["params"]}
    assert setup.before == {"params": setup.costs.dense["params"]}


def test_a_budget_is_a_limit_as_it_is(folder: Path) -> None:
    setup = shared_by_all(folder, targets=("params", "activations"), budget=(500.0, 1000.0))
    assert setup.limits == {"params": 500.0, "activations": 1000.0}


def test_a_limit_of_runtime_is_a_share(folder: Path) -> None:
    setup = shared_by_all(folder, targets=("runtime",), ratio=0.5)
    assert setup.limits == {"runtime": 0.5}
    assert setup.before["runtime"] > 0


def test_with_a_floor_rounds_go_on_in_steps(folder: Path) -> None:
    setup = shared_by_all(folder, psnr_floor=20.0, rounds=2)
    assert setup.schedule.rounds == FLOOR_ROUNDS
    assert setup.psnr_floor == 20.0
    assert setup.limits == {"params": setup.costs.dense["params"] * FLOOR_STEP**FLOOR_ROUNDS}


def test_the_rounds_are_those_asked_for(folder: Path) -> None:
    schedule = shared_by_all(folder, rounds=5, tick_steps=6, tock_steps=7, distillation=0.25).schedule
    assert (schedule.rounds, schedule.tick_steps, schedule.tock_steps) == (5, 6, 7)
    assert (schedule.batch, schedule.patch, schedule.distillation, schedule.seed) == (2, 8, 0.25, 3)
    assert (schedule.learning_rate, schedule.tick_learning_rate) == (0.5, 0.025)


def test_steps_that_are_left_out_are_those_of_a_plan_without_a_limit(folder: Path) -> None:
    schedule = shared_by_all(folder, tock_steps=7).schedule
    assert (schedule.rounds, schedule.tick_steps, schedule.tock_steps) == (Steps().rounds, Steps().tick, 7)
    assert asked_steps(asked(folder, tock_steps=7, fine_tune_steps=0)) == {"tock": 7, "fine_tune": 0}
    assert asked_steps(asked(folder, psnr_floor=20.0)) == {"rounds": FLOOR_ROUNDS}


@pytest.mark.parametrize("target", ["params", "multi_adds", "activations", "runtime"])
def test_a_network_within_its_limit_is_refused(target: Any, folder: Path) -> None:
    with pytest.raises(InputError, match=f"the network is within its limit already: {target} is"):
        shared_by_all(folder, targets=(target,), budget=1e12)


def test_the_dense_network_has_the_weights_that_all_begin_with(folder: Path) -> None:
    setup = shared_by_all(folder)
    before = setup.dense().state_dict()
    with torch.no_grad():
        for parameter in setup.graph.module.parameters():
            parameter.zero_()
    after = setup.dense().state_dict()
    assert any(tensor.any() for tensor in before.values())
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_fine_tuning_is_as_asked_with_patches_that_fit(folder: Path) -> None:
    train = shared_by_all(folder).train
    assert fine_tuning(asked(folder), train, 0, {}) is None
    recipe = fine_tuning(asked(folder, distillation=0.5), train, 9, {"precision": "float32"})
    assert recipe is not None
    assert (recipe.steps, recipe.batch, recipe.patch) == (9, 2, 8)
    assert (recipe.learning_rate, recipe.distillation, recipe.seed) == (0.5, 0.5, 3)
    assert (recipe.precision, recipe.memory_format) == ("float32", "fastest")
    larger = fine_tuning(asked(folder, patch=64), train, 9, {})
    assert larger is not None
    assert larger.patch == train.smallest_side()


def test_going_on_with_other_pictures_is_refused(folder: Path, tmp_path: Path) -> None:
    asked_for = asked(folder, out=tmp_path)
    setup = shared_by_all(folder, out=tmp_path)
    keep(tmp_path, {}, {name: each.identity for name, each in setup.manifests.items()})
    assert [len(each.used) for each in setup.manifests.values()] == [len(setup.train.lr), len(setup.val.lr)]
    again = replace(asked_for, resume=True)
    assert set_up(folder / "net.pth", again, no_report, TIMING)[1].manifests == setup.manifests
    with pytest.raises(InputError, match="holds a pruning with other pictures"):
        set_up(folder / "net.pth", replace(again, val=folder / "train"), no_report, TIMING)
