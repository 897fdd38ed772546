"""Which channels to keep: those whose scores are the least per cost that their removal saves go first."""

import heapq
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from prune.graph.liveness import channel_liveness
from prune.graph.operators.operator import Channels
from prune.graph.plan import Plan
from prune.selection.moves import moves, raised, saving_of
from prune.selection.ordering import common_order
from prune.selection.problem import Problem
from prune.selection.state import State, state_of
from prune.selection.ties import Grouping
from sr.errors import InputError

# Scores within this share of each other are equal.
_EQUAL = 1e-9


def drop(problem: Problem, alive: Sequence[Channels]) -> State:
    """Drop units until all limits are met.

    Args:
        problem: What is chosen among, and the limits.
        alive: Per group the units to begin with.

    Returns:
        A state within the limits.

    Raises:
        InputError: Where the limits cannot be met.
    """
    state = state_of(problem, alive).without_the_absent()
    while problem.excess(state.spent) > 0:
        # What saved nothing when it was tried may do so by now: all moves again.
        lower = _descend(problem, state)
        if lower is None:
            raise InputError(
                f"no plan of this network stays within {dict(problem.limits)}: the least costs {state.spent}; "
                "raise the limits"
            )
        state = lower
    return state


def fill(problem: Problem, state: State) -> State:
    """Take units back, best first, where the limits still allow it: up to the next step they may cost nothing."""
    grown = True
    while grown:
        grown = False
        best = [_best_dropped(problem, state, number) for number in range(len(problem.groups))]
        for number in sorted(range(len(problem.groups)), key=best.__getitem__, reverse=True):
            higher = _raised(problem, state, number)
            if higher is not None:
                state, grown = higher, True
    return state


def selected(problem: Problem, alive: Sequence[Channels], groupings: Sequence[Grouping]) -> list[Channels]:
    """Return what is kept within the limits: by the problem's groups, or tied as loses less of the score.

    Args:
        problem: Its groups are sites where there are groupings.
        alive: Per group the units to begin with.
        groupings: How the sites may be tied, the fewest choices first; none for the problem's groups alone.

    Raises:
        InputError: Where the limits cannot be met.
    """
    return selected_by(problem, alive, groupings)[0]


def selected_by(
    problem: Problem, alive: Sequence[Channels], groupings: Sequence[Grouping]
) -> tuple[list[Channels], Sequence[Grouping]]:
    """Return what `selected` does, and the grouping that loses the least of the score; none without groupings."""
    if not groupings:
        return fill(problem, drop(problem, alive)).alive, ()
    found: list[tuple[float, list[Channels], Grouping]] = []
    for grouping in groupings:
        tied = replace(problem, groups=grouping.groups, given_scores=grouping.scores(problem.given_scores))
        try:
            state = fill(tied, drop(tied, grouping.alive(alive)))
        except InputError:
            # What one choice leaves too little of another may not.
            if grouping is groupings[-1] and not found:
                raise
            continue
        found.append((_lost(problem, state), grouping.alive_sites(state.alive), grouping))
    least = min(lost for lost, _, _ in found)
    return next((units, (grouping,)) for lost, units, grouping in found if lost <= least * (1 + _EQUAL))


def _lost(problem: Problem, state: State) -> float:
    """Return the score of all sites' units that are gone.

    The gates before, between and behind the convolutions of a branch that ended all tell of one loss: those of one side
    are enough, as in `moves.lost`.
    """
    total, ended = 0.0, {"inputs": 0.0, "outputs": 0.0}
    for group, score, units in zip(problem.groups, problem.scores, problem.present(state.kept), strict=True):
        (member,) = group.members
        gone = float(score[~units].sum())
        if state.kept[member.conv].outputs:
            total += gone
        else:
            ended[member.side] += gone
    return total + (min(ended.values()) or max(ended.values()))


def plan_of(problem: Problem, alive: Sequence[Channels]) -> Plan:
    """Return the plan in normal form, shared tensors ordered so that what is kept is close to contiguous slices."""
    graph = problem.costs.graph
    names = {component: graph.component_name(node) for node, component in graph.components.items()}
    orders = {
        names[tensor]: tuple(np.argsort(-common_order(problem, alive, tensor), kind="stable").tolist())
        for tensor in problem.shared_tensors
        if tensor not in graph.fixed
    }
    return Plan(dict(channel_liveness(graph, problem.kept(alive)).kept), {}, orders)


def _descend(problem: Problem, state: State) -> State | None:
    """Make the best moves, until all limits are met or each saves nothing; None where none was made."""
    heap, made = sorted((0.0, move) for move in moves(problem)), False
    while heap and problem.excess(state.spent) > 0:
        _, move = heapq.heappop(heap)
        found = saving_of(problem, state, move)
        if found is None:
            continue
        # Prices mostly grow old upwards, so one that is still the least is the least of all.
        if heap and found.price > heap[0][0]:
            heapq.heappush(heap, (found.price, move))
            continue
        # Units that nobody reads or writes any more are gone: the next step counts from what is there.
        state, made = state_of(problem, found.alive).without_the_absent(), True
        heapq.heappush(heap, (found.price, move))
    return state if made else None


def _best_dropped(problem: Problem, state: State, number: int) -> float:
    """Return the highest score among the dropped units of a group."""
    return float(np.where(state.alive[number], 0, problem.scores[number]).max())


def _raised(problem: Problem, state: State, number: int) -> State | None:
    """Return the state with one group a step up, None where that is not within the limits."""
    alive = raised(problem, state, number)
    left = None if alive is None else problem.left(alive)
    if alive is None or left is None or problem.excess(left.spent) > 0:
        return None
    return state_of(problem, alive)
