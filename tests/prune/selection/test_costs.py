"""Costs predicted from a plan are those counted on the network that the plan leaves."""

import functools
import json
import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from baselines import build
from prune.config import Metric
from prune.graph.liveness import ChannelLiveness, channel_liveness, everything
from prune.graph.plan import Execution, Kept, Plan
from prune.graph.tracing import EXAMPLE, Graph, trace
from prune.rewrite.surgery import slim
from prune.selection.costs import MOST_PIXELS, QUANTUM, Costs, around, counts_up_to
from prune.selection.latency_steps import ELEMENTS, ConvCall, CostTable
from sr.errors import InputError
from sr.measure.complexity import count
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


def prepared(graph: Graph, lr_size: tuple[int, int], path: Path) -> CostTable:
    """Return a table that knows all that the network's plans may ask for, from a file: nothing is timed."""
    convs = {
        call.key: stepped_ms(call) for call in Costs(graph, lr_size).grid(channel_liveness(graph, everything(graph)))
    }
    timings = Timings(1.0, convs | {key: size * 1e-8 for size, key in ELEMENTS.items()})
    path.write_text(json.dumps({**place(CPU, "float32", "channels_last"), **timings.to_json()}))
    return CostTable(CPU, "float32", "channels_last", path)


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


@given(st.integers(1, 512), st.data())
def test_counts_around_are_measured_ones_with_weights_that_sum_to_one(most: int, data: st.DataObject) -> None:
    chosen = data.draw(st.integers(1, most))
    found = around(chosen, most)
    assert {measured for measured, _ in found} <= set(counts_up_to(most))
    assert sum(share for _, share in found) == pytest.approx(1)
    assert all(0 < share <= 1 for _, share in found)
    # In between them lies the count, rounded up to the quantum as the device does; nothing is known under the first.
    mean, first = sum(measured * share for measured, share in found), counts_up_to(most)[0]
    assert chosen <= mean + 1e-9
    assert mean <= min(most, max(first, chosen + QUANTUM - 1)) + 1e-9


@given(st.integers(1, 512))
def test_a_measured_count_stands_for_itself(most: int) -> None:
    assert all(around(measured, most) == [(measured, 1.0)] for measured in counts_up_to(most))


@given(st.integers(1, 512))
def test_a_side_has_few_measured_counts_up_to_all(most: int) -> None:
    measured = counts_up_to(most)
    assert measured[-1] == most
    assert all(low < high for low, high in pairwise(measured))
    assert len(measured) <= QUANTUM
    assert most <= QUANTUM or all(each % QUANTUM == 0 for each in measured[:-1])


@given(st.integers(1, 200), st.data())
def test_interpolated_costs_grow_with_the_count_where_measured_ones_do(most: int, data: st.DataObject) -> None:
    measured = counts_up_to(most)
    steps = data.draw(st.lists(st.floats(0, 10), min_size=len(measured), max_size=len(measured)))
    costs = {each: sum(steps[: index + 1]) for index, each in enumerate(measured)}
    found = [sum(share * costs[each] for each, share in around(chosen, most)) for chosen in range(1, most + 1)]
    assert all(low <= high + 1e-9 for low, high in pairwise(found))


def test_a_picture_of_many_pixels_is_measured_over_fewer_and_multiplied(tmp_path: Path) -> None:
    graph = traced("hcsrn")
    small, large = Costs(graph, (16, 16)), Costs(graph, (1000, 800))
    call, times = small.call("head", 3, 8)
    assert (call.height, call.width, times) == (16, 16, 1.0)
    call, times = large.call("head", 3, 8)
    assert call.height * call.width == pytest.approx(MOST_PIXELS, rel=0.01)
    assert call.height * call.width * times == pytest.approx(800 * 1000)
    assert call.height / call.width == pytest.approx(1000 / 800, rel=0.01)
    table = prepared(graph, (1000, 800), tmp_path / "table.json")
    ms = Costs(graph, (1000, 800), table).conv_ms("head", 3, 8)
    assert ms == pytest.approx(1e-6 * 9 * 800 * 1000)


def test_the_grid_holds_all_that_plans_ask_for(tmp_path: Path) -> None:
    graph = traced("bsrn")
    table = prepared(graph, (16, 16), tmp_path / "table.json")
    costs = Costs(graph, (16, 16), table)
    before = table.figures
    assert costs.dense["runtime"] > 0
    for seed in range(5):
        _, liveness = drawn(graph, seed)
        assert 0 < costs.of(liveness, "runtime") <= costs.dense["runtime"]
    assert table.figures == before


def test_the_runtime_is_that_of_its_convolutions_and_of_what_lies_between(tmp_path: Path) -> None:
    graph = traced("msrresnet")
    table = prepared(graph, (16, 16), tmp_path / "table.json")
    costs = Costs(graph, (16, 16), table)
    liveness = channel_liveness(graph, everything(graph))
    convs = sum(stepped_ms(costs.call(*counts)[0]) for counts in costs.counts(liveness))
    elements = sum(table.elements_ms(elements) for elements in costs.elements(liveness))
    assert costs.dense["runtime"] == pytest.approx(convs + elements)
    assert elements > 0


def test_a_convolution_without_channels_costs_nothing(tmp_path: Path) -> None:
    graph = traced("hcsrn")
    costs = Costs(graph, (16, 16), prepared(graph, (16, 16), tmp_path / "table.json"))
    assert costs.conv_ms("head", 0, 8) == costs.conv_ms("head", 3, 0) == 0.0


def test_counts_between_latency_steps_cost_what_the_next_one_does(tmp_path: Path) -> None:
    graph = trace(build("msrresnet", num_feat=32, num_block=1))
    costs = Costs(graph, (16, 16), prepared(graph, (16, 16), tmp_path / "table.json"))
    name = next(name for name, full in everything(graph).items() if len(full.inputs) == len(full.outputs) == 32)
    ms = {outputs: costs.conv_ms(name, 32, outputs) for outputs in range(1, 33)}
    assert ms[1] == ms[8] == ms[9] == ms[16] == ms[32] / 2
    assert ms[17] == ms[24] == ms[25] == ms[32]


class Summed(nn.Module):
    """Two convolutions, one added to the shared tensor behind an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.branch = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.tail, self.act, self.shuffle = nn.Conv2d(4, 48, 3, padding=1), nn.ReLU(), nn.PixelShuffle(4)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        x = self.head(lr)
        x = x + self.act(self.branch(x))
        return self.shuffle(self.tail(x))


def test_elementwise_operators_are_counted_by_the_channels_that_are_there() -> None:
    graph = trace(Summed())
    costs = Costs(graph, (10, 20))
    pixels = 10 * 20
    # The activation, the sum and the shuffle.
    dense = channel_liveness(graph, everything(graph))
    assert sorted(costs.elements(dense)) == [4 * pixels, 4 * pixels, 48 * pixels]
    # A branch of one channel is added to that alone.
    narrow = channel_liveness(graph, {"branch": Kept((0, 1, 2, 3), (2,))})
    assert sorted(costs.elements(narrow)) == [pixels, pixels, 48 * pixels]
    gone = channel_liveness(graph, {"branch": Kept((), ())})
    assert list(costs.elements(gone)) == [48 * pixels]


def test_a_runtime_without_a_table_is_refused() -> None:
    graph = traced("msrresnet")
    costs = Costs(graph, (16, 16))
    assert set(costs.dense) == set(COUNTED)
    with pytest.raises(ValueError, match="takes the table of a device"):
        costs.of(channel_liveness(graph, everything(graph)), "runtime")


def test_calibrated_costs_predict_what_the_whole_network_takes(tmp_path: Path) -> None:
    graph = traced("hcsrn")
    dense = channel_liveness(graph, everything(graph))
    convs, elements = Costs(graph, EXACT, prepared(graph, EXACT, tmp_path / "table.json")).runtimes(dense)
    whole_ms = 4 * (convs + elements)

    def time_works(works: Sequence[Callable[[], torch.Tensor]], _device: torch.device) -> list[float]:
        # The anchor as in the table, and the whole network.
        return [1.0, whole_ms][: len(works)]

    table = CostTable(CPU, "float32", "channels_last", tmp_path / "table.json", time_works=time_works)
    costs = Costs(graph, EXACT, table)
    assert costs.of(dense, "runtime") == pytest.approx(convs + elements)
    calibrated = costs.calibrated(dense, lambda: lambda: torch.zeros(()))
    assert calibrated.weight == pytest.approx((whole_ms - convs) / elements)
    assert calibrated.of(dense, "runtime") == pytest.approx(whole_ms)


def test_elementwise_operators_never_weigh_less_than_alone(tmp_path: Path) -> None:
    graph = traced("hcsrn")
    dense = channel_liveness(graph, everything(graph))
    prepared(graph, EXACT, tmp_path / "table.json")
    table = CostTable(
        CPU, "float32", "channels_last", tmp_path / "table.json", time_works=lambda works, _: [1.0, 0.0][: len(works)]
    )
    assert Costs(graph, EXACT, table).calibrated(dense, lambda: lambda: torch.zeros(())).weight == 1.0
