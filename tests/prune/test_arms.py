"""The ways to prune: what each chooses among, and that each comes to a slim network within its limits."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from baselines import build
from prune import arms
from prune.arms import Setup, alive_in, over_groups, planned, prune, way
from prune.costs import Costs
from prune.execution import Measurer
from prune.flow import everything, flow
from prune.gate_decorator import Schedule
from prune.graph import Graph, trace
from prune.groups import coupled_groups
from prune.plan import Group, Kept, Member, Plan
from prune.selection import MODES
from prune.sites import Site, sites_of
from prune.stairs import CostTable
from prune.variables import of_sites
from sr.complexity import count
from sr.errors import InputError
from sr.pairs import Pairs, pack

CPU = torch.device("cpu")
ALL = (*MODES, "group", "magnitude")
SHORT = Schedule(rounds=2, tick_steps=2, tock_steps=2, batch=2, patch=8)


@pytest.fixture(autouse=True, scope="module")
def _few_runs() -> Iterator[None]:
    """Time by a few runs, on a busy machine too: what is tested is not how long a network takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sr.device_table.QUIET_SECONDS", 0.0)
        patch.setattr("sr.timing.LONGEST_MS", 0.0)
        yield


@cache
def graph() -> Graph:
    torch.manual_seed(0)
    return trace(build("hcsrn", num_feat=8, num_block1=1, num_block2=1))


@cache
def tensors() -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in graph().module.state_dict().items()}


def noise() -> Pairs:
    random = torch.Generator().manual_seed(0)
    lr = [torch.randint(0, 256, (*size, 3), generator=random, dtype=torch.uint8) for size in ((16, 18), (20, 16))]
    return Pairs(("a", "b"), pack(lr), pack([small.repeat_interleave(4, 0).repeat_interleave(4, 1) for small in lr]))


PAIRS = noise()


def setup(**changes: Any) -> Setup:
    costs = changes.pop("costs", None) or Costs(graph(), (24, 24))
    base = Setup(
        graph(), tensors(), everything(graph()), costs, {"params": 0.5 * costs.dense["params"]}, SHORT, PAIRS,
        CPU, "float32", Measurer(CPU, "float32", "contiguous"), PAIRS,
    )  # fmt: skip
    return replace(base, **changes)


def kept_params(plan: Plan) -> float:
    costs = Costs(graph(), (24, 24))
    return costs.of(flow(graph(), plan.kept), "params")


@pytest.mark.parametrize("mode", MODES)
def test_our_own_way_takes_every_site_and_the_scores_as_they_are(mode: str) -> None:
    sites = sites_of(graph())
    own = way(mode, sites, graph())
    scores = [np.arange(len(site.numbers), dtype=float) for site in sites]
    assert own.mode == mode
    assert own.variables == of_sites(sites)
    assert own.scores(scores) is scores


def test_groups_are_scored_by_the_gates_or_by_the_weights() -> None:
    sites = sites_of(graph())
    groups = coupled_groups(graph().module)
    scores = [np.ones(len(site.numbers)) for site in sites]
    by_gates, by_weights = way("group", sites, graph()), way("magnitude", sites, graph())
    for each in (by_gates, by_weights):
        assert each.mode == "free"
        assert [variable.group for variable in each.variables] == list(groups)
        assert [variable.stream for variable in each.variables] == [None] * len(groups)
    assert all((total >= 1).all() for total in by_gates.scores(scores))
    # Torch-pruning's importance is normalised to a mean of 1 and asks no gate.
    for score in by_weights.scores([np.zeros_like(score) for score in scores]):
        assert score.mean() == pytest.approx(1.0, rel=1e-4)


def test_the_score_of_a_group_is_the_sum_over_its_members_by_hand() -> None:
    sites = [
        Site(Member("a", "outputs", ((0,), (1,), (2,))), 0, (0, 1, 2)),
        Site(Member("b", "inputs", ((0,), (1,), (2,))), 0, (0, 1, 2)),
        # Four channels of one gate: counted once, not four times.
        Site(Member("c", "outputs", ((0, 1, 2, 3), (4, 5, 6, 7))), 1, (0, 1)),
    ]
    scores = [np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0]), np.array([100.0, 200.0])]
    groups = [
        Group((Member("a", "outputs", ((2,), (0,))), Member("b", "inputs", ((0,), (1,))))),
        Group((Member("c", "outputs", ((0, 1, 2, 3), (4, 5, 6, 7))), Member("ungated", "inputs", ((0,), (1,))))),
    ]
    first, second = over_groups(groups, sites, scores)
    assert first.tolist() == [3.0 + 10.0, 1.0 + 20.0]
    assert second.tolist() == [100.0, 200.0]


@pytest.mark.parametrize("arm", ALL)
def test_every_arm_meets_a_limit_and_slims_exactly(arm: str, tmp_path: Path) -> None:
    begun = setup()
    pruned = prune(arm, begun, tmp_path, None)
    assert kept_params(pruned.plan) <= begun.limits["params"]
    # Most of what the limit leaves is used.
    assert kept_params(pruned.plan) >= 0.8 * begun.limits["params"]
    assert pruned.difference < 1e-5
    params = count(pruned.network, (24, 24)).params
    # A run of channels may hold some that the plan drops.
    assert params < 0.75 * count(begun.dense(), (24, 24)).params
    with torch.no_grad():
        assert pruned.network(torch.rand(1, 3, 10, 14)).shape == (1, 3, 40, 56)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["execution.json", "gates.state", "plan.json"]


def test_the_arms_begin_with_the_same_weights(tmp_path: Path) -> None:
    begun = setup(schedule=replace(SHORT, rounds=1))
    first = prune("free", begun, tmp_path / "first", None)
    prune("magnitude", begun, tmp_path / "between", None)
    again = prune("free", begun, tmp_path / "again", None)
    assert first.plan.kept.keys() == again.plan.kept.keys()
    lr = torch.rand(1, 3, 12, 12)
    with torch.no_grad():
        assert torch.equal(begun.dense()(lr), setup().dense()(lr))


def test_what_was_chosen_is_not_chosen_again(tmp_path: Path) -> None:
    """Ways to run are chosen by measuring: a second choice might differ, and what was trained would not fit it."""
    begun = setup()
    first = prune("nested", begun, tmp_path, None)
    untimed = replace(begun, measurer=Measurer(torch.device("meta"), "float32", "contiguous"))
    again = prune("nested", untimed, tmp_path, None)
    assert again.plan == first.plan
    assert list(again.choices) == list(first.choices)
    assert first.network.state_dict().keys() == again.network.state_dict().keys()
    for name, tensor in again.network.state_dict().items():
        assert torch.equal(tensor, first.network.state_dict()[name])
    # Without the weights that it stands on a plan is of no use.
    (tmp_path / "gates.state").unlink()
    assert planned(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"kept": 3}'])
def test_a_broken_plan_is_named(content: str, tmp_path: Path) -> None:
    assert planned(tmp_path) is None
    for name in ("gates.state", "execution.json"):
        (tmp_path / name).write_text("[]")
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(InputError, match="no plan of a pruning; remove"):
        planned(tmp_path)


def test_what_an_earlier_pruning_dropped_is_not_alive() -> None:
    kept = everything(graph())
    name, first = next((name, each) for name, each in kept.items() if len(each.outputs) == 8)
    less = {**kept, name: Kept(first.inputs, first.outputs[:3])}
    member = Member(name, "outputs", tuple((channel,) for channel in range(8)))
    pairs = Member(name, "outputs", tuple((channel, channel + 1) for channel in range(0, 8, 2)))
    (alone,) = of_sites([Site(member, 0, tuple(range(8)))])
    (coupled,) = of_sites([Site(pairs, 0, tuple(range(4)))])
    assert [alive.tolist() for alive in alive_in([alone, coupled], less)] == [
        [True] * 3 + [False] * 5,
        # Half of the second pair is left.
        [True, True, False, False],
    ]
    assert all(alive.all() for alive in alive_in([alone, coupled], kept))


def test_a_pruned_network_is_pruned_on(tmp_path: Path) -> None:
    begun = setup()
    once = prune("free", begun, tmp_path / "once", None)
    less = replace(begun, kept=once.plan.kept, limits={"params": 0.3 * begun.costs.dense["params"]})
    twice = prune("free", less, tmp_path / "twice", None)
    assert kept_params(twice.plan) <= less.limits["params"]
    for name, kept in twice.plan.kept.items():
        assert set(kept.inputs) <= set(once.plan.kept[name].inputs)
        assert set(kept.outputs) <= set(once.plan.kept[name].outputs)


def test_several_limits_are_met_at_once(tmp_path: Path) -> None:
    dense = Costs(graph(), (24, 24)).dense
    limits = {"params": 0.7 * dense["params"], "activations": 0.6 * dense["activations"]}
    pruned = prune("pulled", setup(limits=limits), tmp_path, None)
    followed = flow(graph(), pruned.plan.kept)
    for metric, limit in limits.items():
        assert Costs(graph(), (24, 24)).of(followed, metric) <= limit


def test_a_runtime_is_met_by_measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arms, "CORRECTIONS", 1)
    costs = Costs(graph(), (24, 24), CostTable(CPU, "float32", "contiguous", None))
    begun = setup(costs=costs, limits={"runtime": 0.6})
    pruned = prune("nested", begun, tmp_path, None)
    assert pruned.difference < 1e-5
    predicted = costs.of(flow(graph(), pruned.plan.kept), "runtime")
    assert 0 < predicted < costs.dense["runtime"]
    assert arms.measured_ratio(pruned.network, begun) < 1.1
    # Whichever attempt stayed, what lies on disk is of that one.
    again = prune("nested", begun, tmp_path, None)
    assert again.plan == pruned.plan
    for name, tensor in again.network.state_dict().items():
        assert torch.equal(tensor, pruned.network.state_dict()[name])


def test_of_several_attempts_the_nearest_within_the_limit_is_best() -> None:
    assert sorted([1.04, 0.9, 0.97, 1.01], key=arms.badness) == [0.97, 0.9, 1.01, 1.04]


def test_a_floor_ends_the_rounds_before_it_is_crossed(tmp_path: Path) -> None:
    limits = {"params": 0.1 * Costs(graph(), (24, 24)).dense["params"]}
    low = prune("free", setup(limits=limits, psnr_floor=-100.0), tmp_path / "low", None)
    assert kept_params(low.plan) <= limits["params"]
    high = prune("free", setup(limits=limits, psnr_floor=100.0), tmp_path / "high", None)
    assert high.plan.kept == flow(graph(), everything(graph())).kept
    # As often as it is asked.
    assert prune("free", setup(limits=limits, psnr_floor=100.0), tmp_path / "high", None).plan == high.plan


def test_a_network_that_groups_cannot_be_found_in_is_named(tmp_path: Path) -> None:
    other = trace(build("imdn", num_feat=16, num_block=2))
    costs = Costs(other, (24, 24))
    begun = setup(costs=costs, graph=other, tensors=dict(other.module.state_dict()), kept=everything(other))
    for arm in ("group", "magnitude"):
        with pytest.raises(InputError, match="torch-pruning cannot prune") as caught:
            prune(arm, begun, tmp_path / arm, None)
        assert "\n" not in str(caught.value)


def test_a_limit_below_what_can_be_left_is_named(tmp_path: Path) -> None:
    costs = Costs(graph(), (24, 24), CostTable(CPU, "float32", "contiguous", None))
    with pytest.raises(InputError, match="no plan of this network stays within"):
        prune("free", setup(costs=costs, limits={"runtime": 1e-9}), tmp_path, None)
    assert planned(tmp_path) is None


def test_something_is_left_of_the_network(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no plan of this network stays within"):
        prune("free", setup(limits={"params": 1.0}), tmp_path, None)
