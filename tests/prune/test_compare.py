"""From pruned networks to a comparison: trained alike, saved, and measured side by side."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from baselines import build
from prune import compare
from prune.arms import Pruned, Setup, prune
from prune.compare import compared, contender, dense_contender, fine_tuned, layers_of
from prune.costs import Costs
from prune.execution import Measurer
from prune.flow import everything
from prune.gate_decorator import Schedule
from prune.graph import Graph, trace
from prune.plan import Kept, Plan
from prune.report import DENSE
from prune.stairs import CostTable
from prune.surgery import slim
from sr.checkpoint import Description, load, load_network
from sr.latency import Protocol
from sr.pairs import Pairs, pack
from sr.recipe import Recipe

CPU = torch.device("cpu")
CONFIG = {"num_feat": 8, "num_block1": 1, "num_block2": 1}
DESCRIPTION = Description("baseline", {"name": "hcsrn", **CONFIG})
RECIPE = Recipe(steps=24, batch=2, patch=8, precision="float32", memory_format="contiguous")
LR = torch.rand(1, 3, 14, 11, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True, scope="module")
def _few_runs() -> Iterator[None]:
    """Time by a few runs, on a busy machine too: what is tested is not how long a network takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare, "SIDE_BY_SIDE", Protocol(seconds=0.0, minimum_runs=3, quiet_seconds=0.0))
        patch.setattr("sr.device_table.QUIET_SECONDS", 0.0)
        patch.setattr("sr.timing.LONGEST_MS", 0.0)
        yield


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
    costs = Costs(graph(), (24, 24), CostTable(CPU, "float32", "contiguous", None))
    tensors = {name: tensor.clone() for name, tensor in graph().module.state_dict().items()}
    schedule = Schedule(rounds=1, tick_steps=2, tock_steps=2, batch=2, patch=8)
    return Setup(
        graph(), tensors, everything(graph()), costs, {"params": 0.5 * costs.dense["params"]}, schedule, PAIRS,
        CPU, "float32", Measurer(CPU, "float32", "contiguous"), PAIRS,
    )  # fmt: skip


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Pruned:
    return prune("nested", begun(), tmp_path_factory.mktemp("nested"), None)


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
    each = dense_contender(begun(), DESCRIPTION) if dense else contender("fine (nested)", pruned, DESCRIPTION)
    before = {name: tensor.clone() for name, tensor in each.network.state_dict().items()}
    short = replace(RECIPE, steps=3)
    network = fine_tuned(replace(each, network=copy.deepcopy(each.network)), short, begun(), tmp_path, None)
    with torch.no_grad():
        torch.testing.assert_close(outcome(tmp_path / "network.pth"), network(LR), atol=1e-6, rtol=0)
    assert any(not torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    checkpoint = load(tmp_path / "network.pth")
    assert checkpoint.description == each.description
    assert checkpoint.description.family == "pruned"
    assert checkpoint.recipe["steps"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["network.pth"]


def test_nothing_is_trained_without_a_recipe(pruned: Pruned, tmp_path: Path) -> None:
    each = contender("fine (nested)", pruned, DESCRIPTION)
    fine_tuned(each, None, begun(), tmp_path, None)
    with torch.no_grad():
        torch.testing.assert_close(
            outcome(tmp_path / "network.pth"), pruned.network.cpu().eval()(LR), atol=1e-6, rtol=0
        )
    assert load(tmp_path / "network.pth").recipe == {}


def test_a_killed_fine_tuning_goes_on(pruned: Pruned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def each() -> Any:
        return replace(contender("fine (nested)", pruned, DESCRIPTION), network=copy.deepcopy(pruned.network))

    whole = fine_tuned(each(), RECIPE, begun(), tmp_path / "whole", None)
    calls, patches, seconds = [0], Pairs.patches, iter(range(0, 10**6, 60))

    def counted(pairs: Pairs, *args: Any) -> Any:
        calls[0] += 1
        if calls[0] == 22:
            raise KeyboardInterrupt
        return patches(pairs, *args)

    monkeypatch.setattr("sr.training.time.monotonic", lambda: float(next(seconds)))
    monkeypatch.setattr(Pairs, "patches", counted)
    with pytest.raises(KeyboardInterrupt):
        fine_tuned(each(), RECIPE, begun(), tmp_path / "parts", None)
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["fine-tuning.state"]
    resumed = fine_tuned(each(), RECIPE, begun(), tmp_path / "parts", None)
    assert all(torch.equal(tensor, whole.state_dict()[name]) for name, tensor in resumed.state_dict().items())
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["network.pth"]


def test_all_are_measured_side_by_side(pruned: Pruned) -> None:
    contenders = {DENSE: dense_contender(begun(), DESCRIPTION), "fine": contender("fine", pruned, DESCRIPTION)}
    dense, fine = compared(contenders, begun(), PAIRS)
    assert (dense.name, fine.name) == (DENSE, "fine")
    assert dense.layers == ()
    assert dense.difference is None
    assert fine.difference == pruned.difference
    assert len(fine.layers) == len(graph().convs())
    assert fine.measurement.complexity.params < dense.measurement.complexity.params
    assert fine.measurement.conditions == dense.measurement.conditions
    assert fine.measurement.reference_ms == dense.runtime_ms
    assert all(arm.quality.pictures == 2 and arm.runtime_ms > 0 for arm in (dense, fine))
