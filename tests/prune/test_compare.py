"""From pruned networks to a comparison: trained alike, saved, and measured side by side."""

import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from baselines import build
from prune.compare import compared, contender, dense_contender, fine_tuned, layers_of
from prune.graph.liveness import everything
from prune.graph.plan import Kept, Plan
from prune.graph.tracing import Graph, trace
from prune.methods import Variant
from prune.outcomes import DENSE
from prune.rewrite.execution import Measurer
from prune.rewrite.surgery import slim
from prune.scoring.schedule import Schedule
from prune.selection.costs import Costs
from prune.selection.latency_steps import CostTable
from prune.setup import Setup, Timing
from prune.to_limits import Pruned, prune_to_limits
from sr.checkpoint import Description, load, load_network
from sr.data.pairs import Pairs, pack
from sr.measure.latency import Protocol
from sr.measure.target import Target
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer
from tests.prune.by_multi_adds import by_multi_adds

pytestmark = pytest.mark.numeric

CPU = torch.device("cpu")
TARGET = Target(CPU, (24, 24))
BRIEF = Protocol(seconds=0.0, minimum_runs=3, idle_seconds=0.0)
# How far two float32 orders of summation may lie apart: a dot product of n terms errs by n times the unit roundoff at
# most, and over the depth these add up; 19 convolutions read 8 channels, 3x3 at the most.
ROUNDING = torch.finfo(torch.float32).eps * 19 * 8 * 9
CONFIG = {"num_feat": 8, "num_block1": 1, "num_block2": 1}
DESCRIPTION = Description("baseline", {"name": "hcsrn", **CONFIG})
RECIPE = Recipe(steps=24, batch=2, patch=8, precision="float32", memory_format="contiguous")
LR = torch.rand(1, 3, 14, 11, generator=torch.Generator().manual_seed(1))


def noise() -> Pairs:
    random = torch.Generator().manual_seed(0)
    lr = [torch.randint(0, 256, (*size, 3), generator=random, dtype=torch.uint8) for size in ((16, 18), (20, 16))]
    return Pairs(("a", "b"), pack(lr), pack([small.repeat_interleave(4, 0).repeat_interleave(4, 1) for small in lr]))


PAIRS = noise()


@cache
def graph() -> Graph:
    torch.manual_seed(0)
    return trace(build("hcsrn", **CONFIG))


@cache
def begun() -> Setup:
    costs = Costs(graph(), (24, 24), CostTable(TARGET, "contiguous", None, time_works=by_multi_adds))
    tensors = {name: tensor.clone() for name, tensor in graph().module.state_dict().items()}
    schedule = Schedule(rounds=1, tick_steps=2, tock_steps=2, batch=2, patch=8)
    return Setup(
        graph(), tensors, everything(graph()), costs, {"params": 0.5 * costs.dense["params"]}, schedule, PAIRS, PAIRS,
        TARGET, Measurer(TARGET, "contiguous", by_multi_adds), timing=Timing(side_by_side=BRIEF),
    )  # fmt: skip


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Pruned:
    return prune_to_limits(Variant("per-layer", "shared"), begun(), tmp_path_factory.mktemp("shared"), None)


def test_every_convolution_is_listed_before_and_after() -> None:
    kept = everything(graph())
    wide = [name for name, each in kept.items() if len(each.outputs) == 8 and graph().conv(graph().convs()[name])]
    less = {**kept, wide[-1]: Kept(kept[wide[-1]].inputs, ())}
    layers = {layer.name: layer for layer in layers_of(slim(graph(), Plan(less, {}, {})), begun())}
    assert list(layers) == list(graph().convs())
    gone = layers[wide[-1]]
    assert (gone.kept_inputs, gone.kept_outputs, gone.ms) == (0, 0, None)
    for name, layer in layers.items():
        conv = graph().conv(graph().convs()[name])
        assert (layer.inputs, layer.outputs) == (conv.in_channels, conv.out_channels)
        assert layer.dense_ms is not None
        assert layer.dense_ms > 0
    for layer in layers_of(begun().dense(), begun()):
        assert (layer.kept_inputs, layer.kept_outputs, layer.ms) == (layer.inputs, layer.outputs, layer.dense_ms)


def outcome(path: Path) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = load_network(path)(LR)
    return result


@pytest.mark.parametrize("dense", [True, False])
def test_what_is_trained_on_is_saved_as_it_is(dense: bool, pruned: Pruned, tmp_path: Path) -> None:
    each = dense_contender(begun(), DESCRIPTION) if dense else contender("per-layer (shared)", pruned, DESCRIPTION)
    before = {name: tensor.clone() for name, tensor in each.network.state_dict().items()}
    short = replace(RECIPE, steps=3)
    network = fine_tuned(replace(each, network=copy.deepcopy(each.network)), short, begun(), tmp_path, None)
    with torch.no_grad():
        torch.testing.assert_close(outcome(tmp_path / "network.pth"), network(LR), atol=ROUNDING, rtol=0)
    assert any(not torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    checkpoint = load(tmp_path / "network.pth")
    assert checkpoint.description == each.description
    assert checkpoint.description.family == "pruned"
    assert checkpoint.recipe["steps"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["network.pth"]


def test_nothing_is_trained_without_a_recipe(pruned: Pruned, tmp_path: Path) -> None:
    each = contender("per-layer (shared)", pruned, DESCRIPTION)
    fine_tuned(each, None, begun(), tmp_path, None)
    with torch.no_grad():
        torch.testing.assert_close(
            outcome(tmp_path / "network.pth"), pruned.network.cpu().eval()(LR), atol=ROUNDING, rtol=0
        )
    assert load(tmp_path / "network.pth").recipe == {}


def test_a_killed_fine_tuning_goes_on(pruned: Pruned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def each() -> Any:
        return replace(contender("per-layer (shared)", pruned, DESCRIPTION), network=copy.deepcopy(pruned.network))

    whole = fine_tuned(each(), RECIPE, begun(), tmp_path / "whole", None)
    calls, step, seconds = [0], Trainer.step, iter(range(0, 10**6, 60))

    def counted(trainer: Trainer) -> Any:
        calls[0] += 1
        if calls[0] == 22:
            raise KeyboardInterrupt
        return step(trainer)

    monkeypatch.setattr("sr.training.fit.time.monotonic", lambda: float(next(seconds)))
    monkeypatch.setattr(Trainer, "step", counted)
    with pytest.raises(KeyboardInterrupt):
        fine_tuned(each(), RECIPE, begun(), tmp_path / "parts", None)
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["fine-tuning.state"]
    resumed = fine_tuned(each(), RECIPE, begun(), tmp_path / "parts", None)
    assert all(torch.equal(tensor, whole.state_dict()[name]) for name, tensor in resumed.state_dict().items())
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["network.pth"]


def test_all_are_measured_side_by_side(pruned: Pruned) -> None:
    contenders = {DENSE: dense_contender(begun(), DESCRIPTION), "ours": contender("ours", pruned, DESCRIPTION)}
    dense, ours = compared(contenders, begun())
    assert (dense.name, ours.name) == (DENSE, "ours")
    assert dense.layers == ()
    assert dense.difference is None
    assert ours.difference == pruned.difference
    assert len(ours.layers) == len(graph().convs())
    assert ours.measurement.complexity.params < dense.measurement.complexity.params
    assert ours.measurement.conditions == dense.measurement.conditions
    assert ours.measurement.reference_ms == dense.runtime_ms
    assert all(each.quality.pictures == 2 and each.runtime_ms > 0 for each in (dense, ours))
