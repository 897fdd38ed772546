"""What may be dropped next, and what is lost and saved by it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from prune.graph.operators.operator import Channels
from prune.graph.plan import Kept
from prune.selection.ordering import common_order, first_units
from prune.selection.problem import Problem
from prune.selection.state import State

# Convolutions that end together as one branch of a block, at most; and no more than a third of all.
_BRANCH = 4


class Move(NamedTuple):
    """One thing to do: a step down for a group, its end, or a step down for a shared tensor.

    Equally good moves are made in the order of these two fields.
    """

    kind: Literal["end", "step", "tensor"]
    number: int


@dataclass(frozen=True)
class Saving:
    """A move that saves something.

    Attributes:
        price: The score lost per cost saved.
        alive: What is alive after it.
    """

    price: float
    alive: list[Channels]


def moves(problem: Problem) -> Iterator[Move]:
    """Yield all that can be done."""
    for number in range(len(problem.groups)):
        yield Move("step", number)
        yield Move("end", number)
    for tensor in problem.shared_tensors:
        yield Move("tensor", tensor)


def after(problem: Problem, state: State, move: Move) -> list[Channels] | None:
    """Return what is alive after a move, None where it does nothing."""
    alive = list(state.alive)
    if move.kind == "tensor":
        _narrow(problem, alive, move.number)
    else:
        below = _below(problem, move.number, int(alive[move.number].sum()))
        if below is None:
            return None
        count = below if move.kind == "step" else 0
        alive[move.number] = first_units(problem, state.alive, move.number, count)
    changed = any((new != old).any() for new, old in zip(alive, state.alive, strict=True))
    return alive if changed else None


def saving_of(problem: Problem, state: State, move: Move) -> Saving | None:
    """Return how good a move is, None where it saves nothing."""
    alive = after(problem, state, move)
    left = None if alive is None else problem.left(alive)
    if alive is None or left is None:
        return None
    saved = problem.excess(state.spent) - problem.excess(left.spent)
    if saved <= 0:
        return None
    return Saving(lost(problem, state, move, left.kept) / saved, alive)


def lost(problem: Problem, state: State, move: Move, kept: Mapping[str, Kept]) -> float:
    """Return the score of what would be gone after a move, which leaves `kept`.

    Where a branch ends, its gates before, between and behind its convolutions all tell of one loss: those that the
    move drops are enough. Where more than a branch ends, a sum of small changes says too little: the larger of what
    all gates before convolutions and all behind them tell.
    """
    left = problem.present(kept)
    gone = [old & ~new for old, new in zip(state.present, left, strict=True)]
    there = [name for name, channels in state.kept.items() if channels.outputs]
    ended = sum(not kept[name].outputs for name in there)
    branch = ended <= min(_BRANCH, len(there) // 3)
    if move.kind != "tensor" and branch:
        return float(problem.scores[move.number][gone[move.number]].sum())
    by_side = {"inputs": 0.0, "outputs": 0.0}
    for group, score, units in zip(problem.groups, problem.scores, gone, strict=True):
        by_side[group.members[0].side] += float(score[units].sum())
    return min(by_side.values()) if branch and min(by_side.values()) > 0 else max(by_side.values())


def raised(problem: Problem, state: State, number: int) -> list[Channels] | None:
    """Return what is alive with one group a step up, None where it ended or is whole."""
    count = int(state.alive[number].sum())
    above = [step for step in problem.counts[number] if step > count]
    if not above or not count:
        return None
    alive = list(state.alive)
    alive[number] = first_units(problem, state.alive, number, above[-1])
    return alive


def _below(problem: Problem, number: int, count: int) -> int | None:
    """Return the next number of units worth having, None at 0."""
    return next((step for step in problem.counts[number] if step < count), None)


def _narrow(problem: Problem, alive: list[Channels], tensor: int) -> None:
    """Drop the channels of a shared tensor that come last in its order, one step down, from all its groups."""
    numbers = problem.shared_tensors[tensor]
    common = common_order(problem, alive, tensor)
    used = np.zeros(len(common), dtype=bool)
    for number in numbers:
        used[list(problem.groups[number].channel_indices)] |= alive[number]
    widest = max(numbers, key=lambda number: problem.groups[number].units)
    width = _below(problem, widest, int(used.sum())) or 0
    stays = np.zeros(len(common), dtype=bool)
    stays[np.argsort(-np.where(used, common, -1), kind="stable")[:width]] = True
    for number in numbers:
        alive[number] = alive[number] & stays[list(problem.groups[number].channel_indices)]
