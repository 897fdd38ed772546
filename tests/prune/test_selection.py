"""What is kept under limits: by score and cost, apart or in runs, tied in groups, up to the stairs of a device."""

import functools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from baselines import build
from prune.costs import Costs, Metric
from prune.flow import everything, flow
from prune.graph import Graph, trace
from prune.layers import Accumulate, Gather, Spread
from prune.plan import Execution, Group, Kept, Member, Plan
from prune.selection import MODES, Mode, Scores, Selection
from prune.sites import sites_of
from prune.stairs import ELEMENTS, ConvCall, CostTable
from prune.surgery import slim
from prune.variables import Variable, of_sites, ranks
from sr.device_table import Figures, place
from sr.errors import InputError

CPU = torch.device("cpu")
LR_SIZE = (16, 16)
STAIR = 16
METRICS: tuple[Metric, ...] = ("params", "multi_adds", "activations")


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Stream(nn.Module):
    """A stream to which two branches are added."""

    def __init__(self, width: int = 8, inner: int = 8) -> None:
        super().__init__()
        self.head, self.tail, self.shuffle = conv(3, width), conv(width, 48), nn.PixelShuffle(4)
        self.in1, self.out1 = conv(width, inner), conv(inner, width)
        self.in2, self.out2 = conv(width, inner), conv(inner, width)
        self.act = nn.ReLU()

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        x = self.head(lr)
        x = x + self.out1(self.act(self.in1(x)))
        x = x + self.out2(self.act(self.in2(x)))
        return self.shuffle(self.tail(x))


@functools.cache
def traced(name: str) -> Graph:
    torch.manual_seed(0)
    small: dict[str, Callable[[], nn.Module]] = {
        "stream": Stream,
        "wide": lambda: Stream(64, 32),
        "hcsrn": lambda: build("hcsrn", num_feat=8, num_block1=1, num_block2=1),
        "imdn": lambda: build("imdn", num_feat=8, num_block=2),
        "msrresnet": lambda: build("msrresnet", num_feat=8, num_block=2),
    }
    return trace(small[name]())


@functools.cache
def costs_of(name: str) -> Costs:
    return Costs(traced(name), LR_SIZE)


@functools.cache
def variables_of(name: str) -> tuple[Variable, ...]:
    return of_sites(sites_of(traced(name)))


def drawn_scores(variables: Sequence[Variable], seed: int) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return [rng.random(variable.group.units) * 10 ** rng.uniform(-1, 1) for variable in variables]


def all_alive(variables: Sequence[Variable]) -> list[NDArray[np.bool_]]:
    return [np.ones(variable.group.units, dtype=bool) for variable in variables]


def selection(
    name: str,
    mode: Mode,
    shares: Mapping[Metric, float],
    *,
    scores: Scores | int = 0,
    costs: Costs | None = None,
    variables: tuple[Variable, ...] | None = None,
    alive: list[NDArray[np.bool_]] | None = None,
    pull: float = 1.0,
) -> Selection:
    """Return a selection with limits as shares of the dense network; scores: their seed."""
    costs, variables = costs or costs_of(name), variables or variables_of(name)
    limits = {metric: share * costs.dense[metric] for metric, share in shares.items()}
    given_scores = drawn_scores(variables, scores) if isinstance(scores, int) else scores
    return Selection(costs, variables, given_scores, mode, limits, alive or all_alive(variables), pull=pull)


def number_of(variables: Sequence[Variable], name: str, side: str) -> int:
    members = [variable.group.members[0] for variable in variables]
    (found,) = (index for index, member in enumerate(members) if (member.conv, member.side) == (name, side))
    return found


def within_limits(chosen: Selection) -> bool:
    """Tell whether the plan, followed anew, costs no more than the limits."""
    followed = flow(chosen.costs.graph, chosen.plan().kept)
    return all(chosen.costs.of(followed, metric) <= limit for metric, limit in chosen.limits.items())


def staircase_ms(call: ConvCall) -> float:
    reads = 1 if call.groups > 1 else math.ceil(call.inputs / STAIR)
    return 1e-6 * math.prod(call.kernel) * call.height * call.width * reads * math.ceil(call.outputs / STAIR)


def timed(name: str, path: Path) -> Costs:
    """Return costs by a prepared table that has a stair every 16 channels: nothing is timed."""
    graph = traced(name)
    convs = {call.key: staircase_ms(call) for call in Costs(graph, LR_SIZE).grid(flow(graph, everything(graph)))}
    figures = Figures(1.0, convs | {key: size * 1e-10 for size, key in ELEMENTS.items()})
    path.write_text(json.dumps({**place(CPU, "float32", "channels_last"), **figures.to_json()}))
    return Costs(graph, LR_SIZE, CostTable(CPU, "float32", "channels_last", path))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("metrics", [*((metric,) for metric in METRICS), METRICS])
@pytest.mark.parametrize("name", ["hcsrn", "msrresnet"])
def test_all_limits_are_met(name: str, metrics: tuple[Metric, ...], mode: Mode) -> None:
    chosen = selection(name, mode, dict.fromkeys(metrics, 0.75), pull=0.5)
    assert not within_limits(chosen)
    chosen.shrink()
    assert within_limits(chosen)
    chosen.fill()
    assert within_limits(chosen)
    # And no more is dropped than a step's worth.
    assert any(chosen.spent[metric] > 0.6 * chosen.costs.dense[metric] for metric in metrics)


def test_limits_that_are_met_drop_nothing() -> None:
    chosen = selection("stream", "free", {"params": 1.0})
    chosen.shrink()
    assert all(units.all() for units in chosen.alive)
    assert chosen.plan().kept == everything(traced("stream"))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 0.95))
def test_free_drops_the_lowest_scores_of_each_variable(seed: int, share: float) -> None:
    chosen = selection("stream", "free", {"multi_adds": share}, scores=seed)
    chosen.shrink()
    # What vanished because nobody reads or writes it any more was not chosen; outputs of branches depend on nothing.
    for name in ("in1", "in2"):
        number = number_of(chosen.variables, name, "outputs")
        score, units = chosen.scores[number], chosen.alive[number]
        assert not units.any() or units.all() or score[~units].max() <= score[units].min()


def test_free_goes_on_with_the_lowest_scores_among_what_is_left() -> None:
    variables = variables_of("stream")
    number = number_of(variables, "in1", "outputs")
    scores = [np.full(variable.group.units, 1e6) for variable in variables]
    # What was dropped before has the highest scores now.
    scores[number] = np.array([9.0, 9, 9, 9, 4, 3, 2, 1])
    alive = all_alive(variables)
    alive[number] = np.array([False] * 4 + [True] * 4)
    chosen = selection("stream", "free", {"params": 1.0}, scores=scores, alive=alive)
    chosen.limits = {"params": chosen.spent["params"] - 1}
    chosen.shrink()
    assert chosen.alive[number].tolist() == [False] * 4 + [True, True, True, False]


def prefixes(chosen: Selection) -> bool:
    """Tell whether in every shared stream what each variable keeps are the first channels of the plan's order."""
    plan, graph = chosen.plan(), chosen.costs.graph
    names = {component: graph.component_name(node) for node, component in graph.components.items()}
    for stream, numbers in chosen.streams.items():
        order = plan.orders.get(names[stream])
        assert (order is None) == (stream in graph.fixed)
        ranked = list(np.argsort(-chosen.common(stream), kind="stable"))
        assert order is None or list(order) == ranked
        for number in numbers:
            kept = set(np.array(chosen.variables[number].numbers)[chosen.alive[number]].tolist())
            if kept != set(ranked[: len(kept)]):
                return False
    return True


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.15, 0.95), st.sampled_from(["stream", "hcsrn", "msrresnet"]), st.booleans())
def test_nested_keeps_prefixes_of_one_order_per_stream(seed: int, share: float, name: str, filled: bool) -> None:
    chosen = selection(name, "nested", {"params": share}, scores=seed)
    chosen.shrink()
    if filled:
        chosen.fill()
    assert prefixes(chosen)


def exactly(plan: Plan) -> Plan:
    """Return the plan with every convolution reaching its channels and no others."""
    return replace(plan, execution=dict.fromkeys(plan.kept, Execution("gather", "gather")))


@pytest.mark.parametrize("name", ["stream", "hcsrn", "msrresnet"])
@pytest.mark.parametrize("share", [0.7, 0.35])
def test_nested_runs_without_a_single_gather(name: str, share: float) -> None:
    chosen = selection(name, "nested", {"params": share, "activations": 0.9})
    chosen.shrink()
    chosen.fill()
    network = slim(traced(name), exactly(chosen.plan()))
    assert not [module for module in network.modules() if isinstance(module, Gather | Spread)]
    sums = [module for module in network.modules() if isinstance(module, Accumulate)]
    assert sums
    assert None not in chain.from_iterable(module.runs for module in sums)
    assert network(torch.rand(1, 3, 12, 10)).shape == (1, 3, 48, 40)


def test_free_would_gather_there() -> None:
    chosen = selection("hcsrn", "free", {"params": 0.3})
    chosen.shrink()
    assert not prefixes(chosen)
    assert any(isinstance(module, Gather) for module in slim(traced("hcsrn"), exactly(chosen.plan())).modules())


@pytest.mark.parametrize(("pull", "mode"), [(0.0, "free"), (1.0, "nested")])
@pytest.mark.parametrize("seed", range(3))
def test_a_full_pull_orders_as_nested_and_none_as_free(pull: float, mode: Mode, seed: int) -> None:
    variables = variables_of("hcsrn")
    # Many equals: scores of a few values.
    scores = [np.random.default_rng(seed).integers(1, 4, variable.group.units).astype(float) for variable in variables]
    pulled = selection("hcsrn", "pulled", {"params": 0.5}, scores=scores, pull=pull)
    other = selection("hcsrn", mode, {"params": 0.5}, scores=scores)
    for chosen in (pulled, other):
        chosen.shrink()
        chosen.fill()
    assert pulled.plan().kept == other.plan().kept


def test_ranks_are_even_and_prefer_the_first_of_equals() -> None:
    assert ranks(np.array([3.0, 1.0, 2.0])).tolist() == [1.0, 0.0, 0.5]
    assert ranks(np.array([5.0, 5.0, 5.0])).tolist() == [1.0, 0.5, 0.0]
    assert ranks(np.array([7.0])).tolist() == [1.0]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 0.9), st.sampled_from(MODES))
def test_filling_drops_nothing_and_stays_within_the_limits(seed: int, share: float, mode: Mode) -> None:
    chosen = selection("stream", mode, {"params": share, "activations": max(0.7, share)}, scores=seed, pull=0.5)
    chosen.shrink()
    before, lost = list(chosen.alive), kept_channels(chosen)
    chosen.fill()
    assert all((old <= new).all() for old, new in zip(before, chosen.alive, strict=True))
    assert kept_channels(chosen) >= lost
    assert within_limits(chosen)
    # Nothing more fits.
    assert not any(chosen.raise_one(number) for number in range(len(chosen.variables)))


def kept_channels(chosen: Selection) -> set[tuple[str, str, int]]:
    kept = chosen.plan().kept
    read = {(name, "inputs", channel) for name, sides in kept.items() for channel in sides.inputs}
    return read | {(name, "outputs", channel) for name, sides in kept.items() for channel in sides.outputs}


@pytest.mark.parametrize("mode", ["free", "nested"])
@pytest.mark.parametrize("share", [0.7, 0.4])
def test_counts_end_on_the_stairs_of_the_device(tmp_path: Path, mode: Mode, share: float) -> None:
    costs = timed("wide", tmp_path / "table.json")
    assert costs.table is not None
    before = costs.table.figures
    chosen = selection("wide", mode, {"runtime": share}, costs=costs)
    chosen.shrink()
    chosen.fill()
    assert chosen.spent["runtime"] <= share * costs.dense["runtime"]
    assert costs.table.figures == before, "something was timed"
    for stairs, units in zip(chosen.stairs, chosen.alive, strict=True):
        assert all(stair % STAIR == 0 for stair in stairs)
        assert units.sum() % STAIR == 0
    assert any(0 < units.sum() < len(units) for units in chosen.alive)


def test_a_branch_of_little_worth_vanishes_entirely() -> None:
    variables = variables_of("stream")
    # Its last convolution is missed by nobody.
    weights = {("out1", "outputs"): 1e-9, ("in1", "outputs"): 1e-9, ("in1", "inputs"): 1e-9}
    members = [variable.group.members[0] for variable in variables]
    scores = [np.full(len(member.channels), weights.get((member.conv, member.side), 1.0)) for member in members]
    chosen = selection("stream", "free", {"params": 0.81}, scores=scores)
    chosen.shrink()
    kept = chosen.plan().kept
    assert kept["in1"] == kept["out1"] == Kept((), ())
    # All that the branch had was enough for the limit, so that the rest is whole.
    assert {name: sides for name, sides in kept.items() if name not in ("in1", "out1")} == {
        name: sides for name, sides in everything(traced("stream")).items() if name not in ("in1", "out1")
    }
    assert not {"in1", "out1"} & {name for name, _ in slim(traced("stream"), chosen.plan()).named_modules()}


@pytest.mark.parametrize("mode", MODES)
def test_limits_that_no_plan_meets_are_refused(mode: Mode) -> None:
    chosen = selection("stream", mode, {"params": 1e-4})
    with pytest.raises(InputError, match=r"no plan of this network stays within .*params.*raise the limits"):
        chosen.shrink()


def test_members_of_a_group_stay_tied() -> None:
    graph = traced("stream")
    units = tuple((channel,) for channel in range(8))
    stream = Group(tuple(
        Member(name, side, units)
        for name, side in (("head", "outputs"), ("in1", "inputs"), ("out1", "outputs"), ("in2", "inputs"),
                           ("out2", "outputs"), ("tail", "inputs"))
    ))  # fmt: skip
    inner = [Group((Member(f"in{n}", "outputs", units), Member(f"out{n}", "inputs", units))) for n in (1, 2)]
    variables = tuple(map(Variable, (stream, *inner)))
    chosen = selection("stream", "free", {"multi_adds": 0.5}, variables=variables, scores=3)
    chosen.shrink()
    chosen.fill()
    kept = flow(graph, chosen.plan().kept).kept
    assert within_limits(chosen)
    assert not chosen.alive[0].all()
    for variable, alive in zip(variables, chosen.alive, strict=True):
        assert alive.any()
        for member in variable.group.members:
            sides = kept[member.conv]
            assert (sides.inputs if member.side == "inputs" else sides.outputs) == tuple(np.flatnonzero(alive).tolist())


def test_a_group_outlives_the_member_that_vanishes() -> None:
    units = tuple((channel,) for channel in range(8))
    stream = Group(tuple(Member(name, "outputs", units) for name in ("out1", "head")))
    inner = Group((Member("in1", "outputs", units),))
    variables = (Variable(stream), Variable(inner))
    alive = [np.ones(8, dtype=bool), np.zeros(8, dtype=bool)]
    chosen = selection("stream", "free", {"params": 1.0}, variables=variables, alive=alive)
    # Nothing is left of out1, but the head still writes these units.
    assert chosen.plan().kept["out1"].outputs == ()
    assert chosen.present[0].all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(MODES))
def test_going_on_revives_nothing_while_it_shrinks(seed: int, mode: Mode) -> None:
    first = selection("stream", mode, {"params": 0.7}, scores=seed, pull=0.3)
    first.shrink()
    first.fill()
    # New scores, under which others would have been dropped.
    second = selection("stream", mode, {"params": 0.4}, scores=seed + 1, alive=list(first.alive), pull=0.6)
    second.shrink()
    assert all((new <= old).all() for old, new in zip(first.alive, second.alive, strict=True))
    assert within_limits(second)
    assert kept_channels(second) <= kept_channels(first)


def test_what_is_lost_with_a_branch_is_what_the_move_drops() -> None:
    variables = variables_of("stream")
    number = number_of(variables, "in1", "outputs")
    scores = [np.arange(1.0, variable.group.units + 1) * 10.0**index for index, variable in enumerate(variables)]
    chosen = selection("stream", "free", {"params": 1.0}, scores=scores)
    alive = chosen.after(("end", number))
    assert alive is not None
    followed = chosen.followed(alive)
    assert followed is not None
    # With what in1 writes go what it reads and what out1 writes, which tell of the same loss.
    assert chosen.lost(("end", number), followed) == pytest.approx(sum(scores[number]))


def test_a_unit_without_a_score_goes_before_all_others() -> None:
    variables = variables_of("stream")
    number = number_of(variables, "in2", "outputs")
    scores = [np.ones(variable.group.units) for variable in variables]
    scores[number][5] = 0.0
    chosen = selection("stream", "free", {"params": 0.9999}, scores=scores)
    chosen.shrink()
    assert chosen.alive[number].tolist() == [unit != 5 for unit in range(8)]
    assert all(units.all() for index, units in enumerate(chosen.alive) if index != number)


@pytest.mark.parametrize("mode", MODES)
def test_the_same_input_gives_the_same_plan(mode: Mode) -> None:
    plans = []
    for _ in range(2):
        chosen = selection("imdn", mode, {"params": 0.6, "activations": 0.9}, scores=5, pull=0.5)
        chosen.shrink()
        chosen.fill()
        plans.append(chosen.plan())
    assert plans[0] == plans[1]


def test_a_plan_that_leaves_too_little_is_no_place_to_begin() -> None:
    dead = [np.zeros(variable.group.units, dtype=bool) for variable in variables_of("stream")]
    with pytest.raises(InputError, match="too little of the network"):
        selection("stream", "free", {"params": 0.5}, alive=dead)
