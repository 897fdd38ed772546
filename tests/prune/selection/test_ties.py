"""Sites that are tied keep what torch-pruning's groups keep."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines import build
from prune.depgraph.groups import coupled_groups
from prune.graph.liveness import channel_liveness
from prune.graph.tracing import Graph, trace
from prune.methods import over_groups
from prune.scoring.sites import gate_sites
from prune.selection.costs import Costs
from prune.selection.problem import Problem
from prune.selection.search import drop, fill, plan_of, selected, selected_by
from prune.selection.ties import grouping_of, groupings

NETWORKS = {
    "hcsrn": {"num_feat": 8, "num_block1": 1, "num_block2": 1},
    "msrresnet": {"num_feat": 8, "num_block": 2},
    "rfdn": {"num_feat": 8, "num_block": 2},
}


@functools.cache
def graph(name: str) -> Graph:
    torch.manual_seed(0)
    return trace(build(name, **NETWORKS[name]))


@pytest.mark.parametrize("share", [0.7, 0.4])
@pytest.mark.parametrize("name", list(NETWORKS))
def test_all_tied_is_the_groups_plan(name: str, share: float) -> None:
    sites, costs = gate_sites(graph(name)), Costs(graph(name), (16, 16))
    scores = [np.random.default_rng(number).random(site.units) for number, site in enumerate(sites)]
    tied, groups = groupings(sites)[0], coupled_groups(graph(name).module)
    plans = []
    for chosen, given in ((tied.groups, tied.scores(scores)), (groups, over_groups(groups, sites, scores))):
        limits = {"params": share * costs.dense["params"]}
        problem = Problem(costs, tuple(chosen), given, "independent", limits)
        state = fill(problem, drop(problem, [np.ones(group.units, dtype=bool) for group in chosen]))
        plans.append(plan_of(problem, state.alive).kept)
    assert plans[0] == plans[1]
    # And said of sites it is the same plan.
    by_sites = Problem(costs, sites, scores, "shared", {})
    problem = Problem(costs, tied.groups, tied.scores(scores), "independent", {"params": share * costs.dense["params"]})
    state = fill(problem, drop(problem, tied.alive([np.ones(site.units, dtype=bool) for site in sites])))
    assert plan_of(by_sites, tied.alive_sites(state.alive)).kept == plans[0]


@pytest.mark.parametrize("share", [0.7, 0.4])
def test_what_loses_least_is_selected_and_tied_where_it_is_the_same(share: float) -> None:
    sites, costs = gate_sites(graph("hcsrn")), Costs(graph("hcsrn"), (16, 16))
    problem = Problem(
        costs, sites, [np.ones(site.units) for site in sites], "shared", {"params": share * costs.dense["params"]}
    )
    everything = [np.ones(site.units, dtype=bool) for site in sites]
    chosen = selected(problem, everything, groupings(sites))
    liveness = channel_liveness(graph("hcsrn"), plan_of(problem, chosen).kept)
    assert costs.of(liveness, "params") <= problem.limits["params"]
    # One way alone is that way.
    for grouping in groupings(sites):
        alone = selected(problem, everything, [grouping])
        assert [units.tolist() for units in grouping.alive_sites(grouping.alive(alone))] == [
            units.tolist() for units in alone
        ]


def test_what_was_found_by_another_limit_leads_to_the_same_selection() -> None:
    sites, costs = gate_sites(graph("hcsrn")), Costs(graph("hcsrn"), (16, 16))
    scores = [np.random.default_rng(number).random(site.units) for number, site in enumerate(sites)]
    everything = [np.ones(site.units, dtype=bool) for site in sites]
    problems = [
        Problem(costs, sites, scores, "shared", {"params": share * costs.dense["params"]}) for share in (0.6, 0.5)
    ]
    selected(problems[0], everything, groupings(sites))
    knowing = replace(problems[1], known=problems[0].known)
    chosen, (grouping,) = selected_by(knowing, everything, groupings(sites))
    alone = selected(problems[1], everything, groupings(sites))
    assert [units.tolist() for units in chosen] == [units.tolist() for units in alone]
    by_one = selected(problems[1], everything, [grouping])
    assert [units.tolist() for units in by_one] == [units.tolist() for units in alone]


def test_ties_leave_other_sites_as_they_are() -> None:
    sites = gate_sites(graph("hcsrn"))
    everything, *alone, free = groupings(sites)
    assert free.groups == sites
    assert grouping_of(sites, set()).groups == sites
    assert len(everything.groups) < min(len(each.groups) for each in alone) < len(sites)
    assert sorted(number for numbers in everything.sites for number in numbers) == list(range(len(sites)))
