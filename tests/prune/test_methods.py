"""What each method chooses among, and by which scores."""

from functools import cache

import numpy as np
import pytest
import torch

from baselines import build
from prune.config import CHANNEL_ORDERS, ChannelOrder, MethodName, PruneConfig
from prune.depgraph.groups import coupled_groups
from prune.graph.groups import Group, Member
from prune.graph.liveness import everything
from prune.graph.plan import Kept
from prune.graph.tracing import Graph, trace
from prune.methods import Variant, method_of, over_groups, units_kept, variants_of
from prune.scoring.sites import gate_sites

NAMES: tuple[MethodName, ...] = ("group", "magnitude")


@cache
def graph() -> Graph:
    torch.manual_seed(0)
    return trace(build("hcsrn", num_feat=8, num_block1=1, num_block2=1))


def test_our_own_method_is_compared_in_each_channel_order_and_the_others_once() -> None:
    config = PruneConfig(methods=("group", "per-layer"), channel_orders=("shared", "independent"))
    variants = variants_of(config)
    assert [each.title for each in variants] == ["group", "per-layer (shared)", "per-layer (independent)"]
    assert [each.folder for each in variants] == ["group", "per-layer-shared", "per-layer-independent"]
    assert [each.is_ours for each in variants] == [False, True, True]


@pytest.mark.parametrize("order", CHANNEL_ORDERS)
def test_our_own_method_takes_every_site_and_the_scores_as_they_are(order: ChannelOrder) -> None:
    sites = gate_sites(graph())
    own = method_of(Variant("per-layer", order), sites, graph())
    scores = [np.arange(site.units, dtype=float) for site in sites]
    assert own.channel_order == order
    assert own.groups == sites
    assert own.scores(scores) is scores


def test_groups_are_scored_by_the_gates_or_by_the_weights() -> None:
    sites = gate_sites(graph())
    groups = coupled_groups(graph().module)
    scores = [np.ones(site.units) for site in sites]
    by_gates, by_weights = (method_of(Variant(name), sites, graph()) for name in NAMES)
    for each in (by_gates, by_weights):
        assert each.channel_order == "independent"
        assert each.groups == groups
        assert {group.shared_tensor for group in each.groups} == {None}
    assert all((total >= 1).all() for total in by_gates.scores(scores))
    # Torch-pruning's importance is normalised to a mean of 1 and asks no gate.
    for score in by_weights.scores([np.zeros_like(score) for score in scores]):
        assert score.mean() == pytest.approx(1.0, rel=1e-4)


def test_the_score_of_a_group_is_the_sum_over_its_members_by_hand() -> None:
    sites = [
        Group((Member("a", "outputs", ((0,), (1,), (2,))),), 0, (0, 1, 2)),
        Group((Member("b", "inputs", ((0,), (1,), (2,))),), 0, (0, 1, 2)),
        # Four channels of one gate: counted once, not four times.
        Group((Member("c", "outputs", ((0, 1, 2, 3), (4, 5, 6, 7))),), 1, (0, 1)),
    ]
    scores = [np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0]), np.array([100.0, 200.0])]
    groups = [
        Group((Member("a", "outputs", ((2,), (0,))), Member("b", "inputs", ((0,), (1,))))),
        Group((Member("c", "outputs", ((0, 1, 2, 3), (4, 5, 6, 7))), Member("ungated", "inputs", ((0,), (1,))))),
    ]
    first, second = over_groups(groups, sites, scores)
    assert first.tolist() == [3.0 + 10.0, 1.0 + 20.0]
    assert second.tolist() == [100.0, 200.0]


def test_what_an_earlier_pruning_dropped_is_not_alive() -> None:
    kept = everything(graph())
    name, first = next((name, each) for name, each in kept.items() if len(each.outputs) == 8)
    less = {**kept, name: Kept(first.inputs, first.outputs[:3])}
    member = Member(name, "outputs", tuple((channel,) for channel in range(8)))
    pairs = Member(name, "outputs", tuple((channel, channel + 1) for channel in range(0, 8, 2)))
    alone = Group((member,), 0, tuple(range(8)))
    coupled = Group((pairs,), 0, tuple(range(4)))
    assert [alive.tolist() for alive in units_kept([alone, coupled], less)] == [
        [True] * 3 + [False] * 5,
        # Half of the second pair is left.
        [True, True, False, False],
    ]
    assert all(alive.all() for alive in units_kept([alone, coupled], kept))
