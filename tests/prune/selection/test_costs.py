"""Costs predicted from a plan are those counted on the network that the plan leaves."""

import functools
import json
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from baselines import build
from prune.config import Metric
from prune.graph.liveness import ChannelLiveness, channel_liveness, everything
from prune.graph.plan import Execution, Kept, Plan
from prune.graph.tracing import EXAMPLE, Graph, trace
from prune.rewrite.surgery import slim
from prune.selection.costs import Costs
from prune.selection.latency_steps import ConvCall, CostTable
from prune.selection.step_times import MOST_PIXELS, call_of
from sr.errors import InputError
from sr.measure.complexity import count
from sr.measure.target import Target
from sr.measure.timing_cache import Timings, place

CPU = torch.device("cpu")
NETWORKS = {
    "hcsrn": {"num_feat": 8, "num_block1": 2, "num_block2": 1},
    "rfdn": {"num_feat": 8},
    "msrresnet": {"num_feat": 8, "num_block": 2},
    "imdn": {"num_feat": 8, "num_block": 2},
    "bsrn": {"num_feat": 8, "num_block": 2},
}
COUNTED: tuple[Metric, ...] = ("params", "multi_adds", "activations")
# At the size at which the network was traced no size of a value is a proportion.
EXACT = (EXAMPLE[2], EXAMPLE[3])


@functools.cache
def traced(name: str) -> Graph:
    return trace(build(name, **NETWORKS.get(name, {})))


def counted(network: nn.Module, lr_size: tuple[int, int]) -> dict[str, float]:
    complexity = count(network, lr_size)
    return {metric: getattr(complexity, metric) for metric in COUNTED}


def stepped_ms(call: ConvCall) -> float:
    """Return a cost with a step every 16 channels on either side, in proportion to the pixels."""
    reads = 1 if call.groups > 1 else math.ceil(call.inputs / 16)
    return 1e-6 * math.prod(call.kernel) * call.height * call.width * reads * math.ceil(call.outputs / 16)


def prepared(graph: Graph, lr_size: tuple[int, int], path: Path, copied_ms: float = 1e-9) -> CostTable:
    """Return a table that knows all that the network's plans may ask for, from a file: nothing is timed.

    A slice and a sum take `copied_ms` per channel of theirs and of the tensor; frames take nothing to speak of.
    """
    ms: dict[str, float] = {}
    for step in Costs(graph, lr_size).grid(channel_liveness(graph, everything(graph))):
        copied = 0 if isinstance(step, ConvCall) else step.channels + step.count
        ms[step.key] = stepped_ms(step) if isinstance(step, ConvCall) else copied_ms * copied
        ms |= {frame.key: 1e-12 for frame in step.frames}
    path.write_text(json.dumps({**place(CPU, "float32", "channels_last"), **Timings(1.0, ms).to_json()}))
    return CostTable(Target(CPU), "channels_last", path)


def drawn(graph: Graph, seed: int) -> tuple[Plan, ChannelLiveness]:
    """Draw a plan that leaves a network, each convolution with exactly its channels."""
    rng = random.Random(seed)
    for _ in range(20):
        share = rng.choice([0.9, 0.6, 0.3])
        kept = {
            name: Kept(*(tuple(channel for channel in side if rng.random() < share) for side in sides))
            for name, sides in ((name, (full.inputs, full.outputs)) for name, full in everything(graph).items())
        }
        plan = Plan(kept, dict.fromkeys(kept, Execution("gather", "gather")), {})
        try:
            return plan, channel_liveness(graph, kept)
        except InputError:
            continue
    raise AssertionError("20 plans were refused")


@pytest.mark.parametrize("name", [*NETWORKS, "neptuneai"])
def test_the_counts_of_the_dense_network_are_those_of_the_yardstick(name: str) -> None:
    network = build(name, **NETWORKS.get(name, {}))
    assert Costs(trace(network), EXACT).dense == counted(network, EXACT)


@pytest.mark.parametrize("name", ["hcsrn", "msrresnet", "imdn"])
@pytest.mark.parametrize("lr_size", [(16, 16), (24, 40)])
def test_counts_follow_the_size_of_the_picture(name: str, lr_size: tuple[int, int]) -> None:
    assert Costs(traced(name), lr_size).dense == counted(traced(name).module, lr_size)


def test_strided_convolutions_and_pools_are_counted_in_proportion() -> None:
    # RFDN's attention sees a few pixels, whose number depends on the borders.
    predicted, actual = Costs(traced("rfdn"), (64, 80)).dense, counted(traced("rfdn").module, (64, 80))
    assert predicted["params"] == actual["params"]
    for metric in ("multi_adds", "activations"):
        assert predicted[metric] == pytest.approx(actual[metric], rel=2e-3)


def test_convolutions_that_may_lose_nothing_are_not_counted() -> None:
    # DilutNet calls its expanding convolutions twice each, so that they are nobody's own.
    network = build("dilutnet", num_feat=8, num_block=2)
    graph = trace(network)
    others = [module for name, module in graph.module.named_modules()
              if isinstance(module, nn.Conv2d) and name not in graph.convs()]  # fmt: skip
    assert others
    single = [parameter.numel() for name, parameter in graph.module.named_parameters()
              if not isinstance(graph.module.get_submodule(name.rpartition(".")[0]), nn.Conv2d)]  # fmt: skip
    left_out = sum(sum(weights.numel() for weights in module.parameters()) for module in others) + sum(single)
    assert Costs(graph, EXACT).dense["params"] == count(network, EXACT).params - left_out


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("seed", range(2))
def test_the_counts_of_a_plan_are_those_of_its_slim_network(name: str, seed: int) -> None:
    graph = traced(name)
    plan, liveness = drawn(graph, seed)
    costs = Costs(graph, EXACT)
    assert {metric: costs.of(liveness, metric) for metric in COUNTED} == counted(slim(graph, plan), EXACT)


def test_a_picture_of_many_pixels_is_measured_over_fewer_and_multiplied(tmp_path: Path) -> None:
    graph = traced("hcsrn")
    small, large = Costs(graph, (16, 16)), Costs(graph, (1000, 800))
    call, times = call_of(graph.conv(graph.convs()["head"]), small.lr_size, "", 3, 8)
    assert (call.height, call.width, times) == (16, 16, 1.0)
    call, times = call_of(graph.conv(graph.convs()["head"]), large.lr_size, "", 3, 8)
    assert call.height * call.width == pytest.approx(MOST_PIXELS, rel=0.01)
    assert call.height * call.width * times == pytest.approx(800 * 1000)
    assert call.height / call.width == pytest.approx(1000 / 800, rel=0.01)
    table = prepared(graph, (1000, 800), tmp_path / "table.json")
    ms = Costs(graph, (1000, 800), table).conv_ms("head", 3, 8)
    assert ms == pytest.approx(1e-6 * 9 * 800 * 1000, rel=1e-5)


def test_the_grid_holds_all_that_plans_ask_for(tmp_path: Path) -> None:
    graph = traced("bsrn")
    table = prepared(graph, (16, 16), tmp_path / "table.json")
    costs = Costs(graph, (16, 16), table)
    before = table.figures
    assert costs.dense["runtime"] > 0
    for seed in range(5):
        _, liveness = drawn(graph, seed)
        # Parts of tensors cost a little.
        assert 0 < costs.of(liveness, "runtime") <= 1.001 * costs.dense["runtime"]
    assert table.figures == before


def test_a_convolution_without_channels_costs_nothing(tmp_path: Path) -> None:
    graph = traced("hcsrn")
    costs = Costs(graph, (16, 16), prepared(graph, (16, 16), tmp_path / "table.json"))
    assert costs.conv_ms("head", 0, 8) == costs.conv_ms("head", 3, 0) == 0.0


def test_counts_between_latency_steps_cost_what_the_next_one_does(tmp_path: Path) -> None:
    graph = trace(build("msrresnet", num_feat=32, num_block=1))
    costs = Costs(graph, (16, 16), prepared(graph, (16, 16), tmp_path / "table.json"))
    name = next(name for name, full in everything(graph).items() if len(full.inputs) == len(full.outputs) == 32)
    ms = {outputs: costs.conv_ms(name, 32, outputs) for outputs in range(1, 33)}
    assert ms[1] == ms[8] == ms[9] == ms[16] == pytest.approx(ms[32] / 2)
    assert ms[17] == ms[24] == ms[25] == ms[32]


class Summed(nn.Module):
    """Two convolutions, one added to the shared tensor behind an activation."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.head, self.branch = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.tail, self.act, self.shuffle = nn.Conv2d(width, 48, 3, padding=1), nn.ReLU(), nn.PixelShuffle(4)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        x = self.head(lr)
        x = x + self.act(self.branch(x))
        return self.shuffle(self.tail(x))


def test_a_runtime_without_a_table_is_refused() -> None:
    graph = traced("msrresnet")
    costs = Costs(graph, (16, 16))
    assert set(costs.dense) == set(COUNTED)
    with pytest.raises(ValueError, match="takes the table of a device"):
        costs.of(channel_liveness(graph, everything(graph)), "runtime")


def test_a_step_is_a_convolution_with_its_activation_and_the_sum_that_it_is_added_to() -> None:
    graph = trace(Summed())
    costs = Costs(graph, (10, 20))
    assert {name: place.activation for name, place in costs.places.items()} == {
        "head": "",
        "branch": "ReLU",
        "tail": "",
    }
    (total,) = costs.totals
    assert [term.conv for term in total.terms] == [None, "branch"]
    # Of a sum one term is there already; what is added is the branch, as wide as it is.
    for kept, held in (((0, 1, 2, 3), 4), ((2,), 1)):
        liveness = channel_liveness(graph, {"branch": Kept((0, 1, 2, 3), kept)})
        assert total.added(liveness) == (4, [(total.terms[1], held)])
    assert total.added(channel_liveness(graph, {"branch": Kept((), ())})) == (4, [])


def test_what_belongs_to_no_step_is_counted_by_its_elements() -> None:
    graph = trace(Summed())
    dense = channel_liveness(graph, everything(graph))
    # The shuffle alone: activation and sum are parts of steps.
    assert list(Costs(graph, (10, 20)).elements(dense)) == [48 * 10 * 20]


def shared_tensor_ms(copied_ms: float, kept: Kept, path: Path) -> float:
    """Return the predicted milliseconds of a network whose branch keeps these channels of a tensor of 32."""
    graph = trace(Summed(32))
    costs = Costs(graph, (16, 16), prepared(graph, (16, 16), path, copied_ms))
    return costs.steps_ms(channel_liveness(graph, {"branch": kept}))


def test_a_part_of_a_tensor_is_worth_what_its_copy_leaves(tmp_path: Path) -> None:
    path, all_of_it, half = tmp_path / "table.json", tuple(range(32)), tuple(range(16))
    whole_ms = shared_tensor_ms(1e-9, Kept(all_of_it, all_of_it), path)
    # Where slices are free a quarter of the convolution is left; where they cost more than it, it takes the whole.
    conv_ms = 1e-6 * 9 * 16 * 16
    assert whole_ms - shared_tensor_ms(1e-9, Kept(half, half), path) == pytest.approx(3 * conv_ms, rel=1e-3)
    dear = shared_tensor_ms(1.0, Kept(all_of_it, all_of_it), path)
    assert shared_tensor_ms(1.0, Kept(half, all_of_it), path) == pytest.approx(dear)


def test_calibrated_costs_predict_what_the_whole_network_takes(tmp_path: Path) -> None:
    graph = traced("hcsrn")
    dense = channel_liveness(graph, everything(graph))
    steps_ms = Costs(graph, EXACT, prepared(graph, EXACT, tmp_path / "table.json")).steps_ms(dense)
    for whole_ms, predicted in ((4 * steps_ms, 4 * steps_ms), (0.5 * steps_ms, steps_ms)):

        def time_works(works: Sequence[Callable[[], object]], _: torch.device, ms: float = whole_ms) -> list[float]:
            # The anchor as in the table, and the whole network.
            return [1.0, ms][: len(works)]

        table = CostTable(Target(CPU), "channels_last", tmp_path / "table.json", time_works=time_works)
        costs = Costs(graph, EXACT, table)
        assert costs.of(dense, "runtime") == pytest.approx(steps_ms)
        assert costs.calibrated(dense, lambda: list).of(dense, "runtime") == pytest.approx(predicted)
