"""What is kept under limits: by score and cost, apart or in slices, tied in groups, up to the steps of a device."""

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
from prune.config import CHANNEL_ORDERS, ChannelOrder, Metric
from prune.graph.groups import Group, Member
from prune.graph.liveness import channel_liveness, everything
from prune.graph.operators.operator import Channels
from prune.graph.plan import Execution, Kept, Plan
from prune.graph.tracing import Graph, trace
from prune.rewrite.layers import Accumulate, Gather, Spread
from prune.rewrite.surgery import slim
from prune.scoring.sites import gate_sites
from prune.selection.costs import Costs
from prune.selection.latency_steps import ConvCall, CostTable
from prune.selection.moves import raised
from prune.selection.ordering import common_order
from prune.selection.problem import Problem, Scores
from prune.selection.search import drop, fill, plan_of
from prune.selection.state import state_of
from sr.errors import InputError
from sr.measure.target import Target
from sr.measure.timing_cache import Timings, place

CPU = torch.device("cpu")
LR_SIZE = (16, 16)
STEP = 16
COUNTED: tuple[Metric, ...] = ("params", "multi_adds", "activations")


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Residual(nn.Module):
    """A tensor to which two branches are added."""

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
        "residual": Residual,
        "wide": lambda: Residual(64, 32),
        "hcsrn": lambda: build("hcsrn", num_feat=8, num_block1=1, num_block2=1),
        "imdn": lambda: build("imdn", num_feat=8, num_block=2),
        "msrresnet": lambda: build("msrresnet", num_feat=8, num_block=2),
    }
    return trace(small[name]())


@functools.cache
def costs_of(name: str) -> Costs:
    return Costs(traced(name), LR_SIZE)


@functools.cache
def groups_of(name: str) -> tuple[Group, ...]:
    return gate_sites(traced(name))


def drawn_scores(groups: Sequence[Group], seed: int) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return [rng.random(group.units) * 10 ** rng.uniform(-1, 1) for group in groups]


def all_alive(groups: Sequence[Group]) -> list[Channels]:
    return [np.ones(group.units, dtype=bool) for group in groups]


def problem_of(
    name: str,
    order: ChannelOrder,
    shares: Mapping[Metric, float],
    *,
    scores: Scores | int = 0,
    costs: Costs | None = None,
    groups: tuple[Group, ...] | None = None,
    blend: float = 1.0,
) -> Problem:
    """Return a problem with limits as shares of the dense network; scores: their seed."""
    costs, groups = costs or costs_of(name), groups or groups_of(name)
    limits = {metric: share * costs.dense[metric] for metric, share in shares.items()}
    given_scores = drawn_scores(groups, scores) if isinstance(scores, int) else scores
    return Problem(costs, groups, given_scores, order, limits, blend)


def number_of(groups: Sequence[Group], name: str, side: str) -> int:
    members = [group.members[0] for group in groups]
    (found,) = (index for index, member in enumerate(members) if (member.conv, member.side) == (name, side))
    return found


def within_limits(problem: Problem, alive: Sequence[Channels]) -> bool:
    """Return whether the plan, followed anew, costs no more than the limits."""
    liveness = channel_liveness(problem.costs.graph, plan_of(problem, alive).kept)
    return all(problem.costs.of(liveness, metric) <= limit for metric, limit in problem.limits.items())


def kept_channels(problem: Problem, alive: Sequence[Channels]) -> set[tuple[str, str, int]]:
    kept = plan_of(problem, alive).kept
    read = {(name, "inputs", channel) for name, sides in kept.items() for channel in sides.inputs}
    return read | {(name, "outputs", channel) for name, sides in kept.items() for channel in sides.outputs}


def stepped_ms(call: ConvCall) -> float:
    """Return a cost with a step every 16 channels on either side, in proportion to the pixels."""
    reads = 1 if call.groups > 1 else math.ceil(call.inputs / STEP)
    return 1e-6 * math.prod(call.kernel) * call.height * call.width * reads * math.ceil(call.outputs / STEP)


def prepared_table(graph: Graph, path: Path) -> CostTable:
    """Return a table that knows all that the network's plans may ask for, from a file: nothing is timed."""
    ms: dict[str, float] = {}
    for step in Costs(graph, LR_SIZE).grid(channel_liveness(graph, everything(graph))):
        ms[step.key] = stepped_ms(step) if isinstance(step, ConvCall) else 1e-9
        ms |= {frame.key: 1e-12 for frame in step.frames}
    path.write_text(json.dumps({**place(CPU, "float32", "channels_last"), **Timings(1.0, ms).to_json()}))
    return CostTable(Target(CPU), "channels_last", path)


@pytest.mark.parametrize("order", CHANNEL_ORDERS)
@pytest.mark.parametrize("metrics", [*((metric,) for metric in COUNTED), COUNTED])
@pytest.mark.parametrize("name", ["hcsrn", "msrresnet"])
def test_all_limits_are_met(name: str, metrics: tuple[Metric, ...], order: ChannelOrder) -> None:
    problem = problem_of(name, order, dict.fromkeys(metrics, 0.75), blend=0.5)
    assert not within_limits(problem, all_alive(problem.groups))
    state = drop(problem, all_alive(problem.groups))
    assert within_limits(problem, state.alive)
    filled = fill(problem, state)
    assert within_limits(problem, filled.alive)
    # And no more is dropped than a step's worth.
    assert any(filled.spent[metric] > 0.6 * problem.costs.dense[metric] for metric in metrics)


def test_limits_that_are_met_drop_nothing() -> None:
    problem = problem_of("residual", "independent", {"params": 1.0})
    state = drop(problem, all_alive(problem.groups))
    assert all(units.all() for units in state.alive)
    assert plan_of(problem, state.alive).kept == everything(traced("residual"))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 0.95))
def test_independent_orders_drop_the_lowest_scores_of_each_group(seed: int, share: float) -> None:
    problem = problem_of("residual", "independent", {"multi_adds": share}, scores=seed)
    state = drop(problem, all_alive(problem.groups))
    # What vanished because nobody reads or writes it any more was not chosen; outputs of branches depend on nothing.
    for name in ("in1", "in2"):
        number = number_of(problem.groups, name, "outputs")
        score, units = problem.scores[number], state.alive[number]
        assert not units.any() or units.all() or score[~units].max() <= score[units].min()


def test_independent_orders_go_on_with_the_lowest_scores_among_what_is_left() -> None:
    groups = groups_of("residual")
    number = number_of(groups, "in1", "outputs")
    scores = [np.full(group.units, 1e6) for group in groups]
    # What was dropped before has the highest scores now.
    scores[number] = np.array([9.0, 9, 9, 9, 4, 3, 2, 1])
    alive = all_alive(groups)
    alive[number] = np.array([False] * 4 + [True] * 4)
    met = problem_of("residual", "independent", {"params": 1.0}, scores=scores)
    problem = replace(met, limits={"params": state_of(met, alive).spent["params"] - 1})
    state = drop(problem, alive)
    assert state.alive[number].tolist() == [False] * 4 + [True, True, True, False]


def prefixes(problem: Problem, alive: Sequence[Channels]) -> bool:
    """Return whether in every shared tensor what each group keeps are the first channels of the plan's order."""
    plan, graph = plan_of(problem, alive), problem.costs.graph
    names = {component: graph.component_name(node) for node, component in graph.components.items()}
    for tensor, numbers in problem.shared_tensors.items():
        order = plan.orders.get(names[tensor])
        assert (order is None) == (tensor in graph.fixed)
        ranked = list(np.argsort(-common_order(problem, alive, tensor), kind="stable"))
        assert order is None or list(order) == ranked
        for number in numbers:
            kept = set(np.array(problem.groups[number].channel_indices)[alive[number]].tolist())
            if kept != set(ranked[: len(kept)]):
                return False
    return True


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.15, 0.95), st.sampled_from(["residual", "hcsrn", "msrresnet"]), st.booleans())
def test_shared_orders_keep_prefixes_of_one_order_per_tensor(seed: int, share: float, name: str, filled: bool) -> None:
    problem = problem_of(name, "shared", {"params": share}, scores=seed)
    state = drop(problem, all_alive(problem.groups))
    if filled:
        state = fill(problem, state)
    assert prefixes(problem, state.alive)


def exactly(plan: Plan) -> Plan:
    """Return the plan with every convolution getting at its channels and no others."""
    return replace(plan, execution=dict.fromkeys(plan.kept, Execution("gather", "gather")))


@pytest.mark.parametrize("name", ["residual", "hcsrn", "msrresnet"])
@pytest.mark.parametrize("share", [0.7, 0.35])
def test_shared_orders_run_without_a_single_gather(name: str, share: float) -> None:
    problem = problem_of(name, "shared", {"params": share, "activations": 0.9})
    state = fill(problem, drop(problem, all_alive(problem.groups)))
    network = slim(traced(name), exactly(plan_of(problem, state.alive)))
    assert not [module for module in network.modules() if isinstance(module, Gather | Spread)]
    sums = [module for module in network.modules() if isinstance(module, Accumulate)]
    assert sums
    assert None not in chain.from_iterable(module.slices for module in sums)
    assert network(torch.rand(1, 3, 12, 10)).shape == (1, 3, 48, 40)


def test_independent_orders_would_gather_there() -> None:
    problem = problem_of("hcsrn", "independent", {"params": 0.3})
    alive = drop(problem, all_alive(problem.groups)).alive
    assert not prefixes(problem, alive)
    network = slim(traced("hcsrn"), exactly(plan_of(problem, alive)))
    assert any(isinstance(module, Gather) for module in network.modules())


@pytest.mark.parametrize(("blend", "order"), [(0.0, "independent"), (1.0, "shared")])
@pytest.mark.parametrize("seed", range(3))
def test_a_full_blend_orders_as_shared_and_none_as_independent(blend: float, order: ChannelOrder, seed: int) -> None:
    # Many equals: scores of a few values.
    draw = [np.random.default_rng(seed).integers(1, 4, group.units).astype(float) for group in groups_of("hcsrn")]
    plans = []
    for problem in (
        problem_of("hcsrn", "blended", {"params": 0.5}, scores=draw, blend=blend),
        problem_of("hcsrn", order, {"params": 0.5}, scores=draw),
    ):
        plans.append(plan_of(problem, fill(problem, drop(problem, all_alive(problem.groups))).alive))
    assert plans[0].kept == plans[1].kept


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.2, 0.9), st.sampled_from(CHANNEL_ORDERS))
def test_filling_drops_nothing_and_stays_within_the_limits(seed: int, share: float, order: ChannelOrder) -> None:
    limits: dict[Metric, float] = {"params": share, "activations": max(0.7, share)}
    problem = problem_of("residual", order, limits, scores=seed, blend=0.5)
    lower = drop(problem, all_alive(problem.groups))
    higher = fill(problem, lower)
    assert all((old <= new).all() for old, new in zip(lower.alive, higher.alive, strict=True))
    assert kept_channels(problem, higher.alive) >= kept_channels(problem, lower.alive)
    assert within_limits(problem, higher.alive)
    # Nothing more fits.
    for number in range(len(problem.groups)):
        alive = raised(problem, higher, number)
        assert alive is None or problem.liveness(alive) is None or not within_limits(problem, alive)


@pytest.mark.parametrize("order", ["independent", "shared"])
@pytest.mark.parametrize("share", [0.7, 0.4])
def test_counts_end_on_the_latency_steps_of_the_device(tmp_path: Path, order: ChannelOrder, share: float) -> None:
    table = prepared_table(traced("wide"), tmp_path / "table.json")
    before = table.figures
    problem = problem_of("wide", order, {"runtime": share}, costs=Costs(traced("wide"), LR_SIZE, table))
    state = fill(problem, drop(problem, all_alive(problem.groups)))
    assert state.spent["runtime"] <= share * problem.costs.dense["runtime"]
    assert table.figures == before, "something was timed"
    for steps, units in zip(problem.counts, state.alive, strict=True):
        assert all(step % STEP == 0 for step in steps)
        assert units.sum() % STEP == 0
    assert any(0 < units.sum() < len(units) for units in state.alive)


def test_a_branch_of_little_worth_vanishes_entirely() -> None:
    # Its last convolution is missed by nobody.
    weights = {("out1", "outputs"): 1e-9, ("in1", "outputs"): 1e-9, ("in1", "inputs"): 1e-9}
    members = [group.members[0] for group in groups_of("residual")]
    scores = [np.full(len(member.channels), weights.get((member.conv, member.side), 1.0)) for member in members]
    problem = problem_of("residual", "independent", {"params": 0.81}, scores=scores)
    plan = plan_of(problem, drop(problem, all_alive(problem.groups)).alive)
    assert plan.kept["in1"] == plan.kept["out1"] == Kept((), ())
    # All that the branch had was enough for the limit, so that the rest is whole.
    assert {name: sides for name, sides in plan.kept.items() if name not in ("in1", "out1")} == {
        name: sides for name, sides in everything(traced("residual")).items() if name not in ("in1", "out1")
    }
    assert not {"in1", "out1"} & {name for name, _ in slim(traced("residual"), plan).named_modules()}


@pytest.mark.parametrize("order", CHANNEL_ORDERS)
def test_limits_that_no_plan_meets_are_refused(order: ChannelOrder) -> None:
    problem = problem_of("residual", order, {"params": 1e-4})
    with pytest.raises(InputError, match=r"no plan of this network stays within .*params.*raise the limits"):
        drop(problem, all_alive(problem.groups))


def test_members_of_a_group_stay_tied() -> None:
    units = tuple((channel,) for channel in range(8))
    tensor = Group(tuple(
        Member(name, side, units)
        for name, side in (("head", "outputs"), ("in1", "inputs"), ("out1", "outputs"), ("in2", "inputs"),
                           ("out2", "outputs"), ("tail", "inputs"))
    ))  # fmt: skip
    inner = [Group((Member(f"in{n}", "outputs", units), Member(f"out{n}", "inputs", units))) for n in (1, 2)]
    groups = (tensor, *inner)
    problem = problem_of("residual", "independent", {"multi_adds": 0.5}, groups=groups, scores=3)
    state = fill(problem, drop(problem, all_alive(groups)))
    kept = channel_liveness(traced("residual"), plan_of(problem, state.alive).kept).kept
    assert within_limits(problem, state.alive)
    assert not state.alive[0].all()
    for group, alive in zip(groups, state.alive, strict=True):
        assert alive.any()
        for member in group.members:
            assert kept[member.conv].on(member.side) == tuple(np.flatnonzero(alive).tolist())


def test_a_group_outlives_the_member_that_vanishes() -> None:
    units = tuple((channel,) for channel in range(8))
    tensor = Group(tuple(Member(name, "outputs", units) for name in ("out1", "head")))
    inner = Group((Member("in1", "outputs", units),))
    alive = [np.ones(8, dtype=bool), np.zeros(8, dtype=bool)]
    problem = problem_of("residual", "independent", {"params": 1.0}, groups=(tensor, inner))
    # Nothing is left of out1, but the head still writes these units.
    assert plan_of(problem, alive).kept["out1"].outputs == ()
    assert state_of(problem, alive).present[0].all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(CHANNEL_ORDERS))
def test_going_on_revives_nothing_while_it_drops(seed: int, order: ChannelOrder) -> None:
    first = problem_of("residual", order, {"params": 0.7}, scores=seed, blend=0.3)
    before = fill(first, drop(first, all_alive(first.groups)))
    # New scores, under which others would have been dropped.
    second = problem_of("residual", order, {"params": 0.4}, scores=seed + 1, blend=0.6)
    after = drop(second, before.alive)
    assert all((new <= old).all() for old, new in zip(before.alive, after.alive, strict=True))
    assert within_limits(second, after.alive)
    assert kept_channels(second, after.alive) <= kept_channels(first, before.alive)


def test_a_unit_without_a_score_goes_before_all_others() -> None:
    groups = groups_of("residual")
    number = number_of(groups, "in2", "outputs")
    scores = [np.ones(group.units) for group in groups]
    scores[number][5] = 0.0
    problem = problem_of("residual", "independent", {"params": 0.9999}, scores=scores)
    state = drop(problem, all_alive(groups))
    assert state.alive[number].tolist() == [unit != 5 for unit in range(8)]
    assert all(units.all() for index, units in enumerate(state.alive) if index != number)


@pytest.mark.parametrize("order", CHANNEL_ORDERS)
def test_the_same_input_gives_the_same_plan(order: ChannelOrder) -> None:
    plans = []
    for _ in range(2):
        problem = problem_of("imdn", order, {"params": 0.6, "activations": 0.9}, scores=5, blend=0.5)
        plans.append(plan_of(problem, fill(problem, drop(problem, all_alive(problem.groups))).alive))
    assert plans[0] == plans[1]
