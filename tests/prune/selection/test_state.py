"""Where a selection stands."""

import numpy as np
import pytest

from baselines import build
from prune.graph.tracing import trace
from prune.scoring.sites import gate_sites
from prune.selection.costs import Costs
from prune.selection.problem import Problem
from prune.selection.state import state_of
from sr.errors import InputError


def test_a_plan_that_leaves_too_little_is_no_place_to_begin() -> None:
    graph = trace(build("msrresnet", num_feat=8, num_block=1))
    groups, costs = gate_sites(graph), Costs(graph, (16, 16))
    scores = [np.ones(group.units) for group in groups]
    problem = Problem(costs, groups, scores, "independent", {"params": costs.dense["params"]})
    dead = [np.zeros(group.units, dtype=bool) for group in groups]
    with pytest.raises(InputError, match="too little of the network"):
        state_of(problem, dead)
