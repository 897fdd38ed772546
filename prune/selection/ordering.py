"""In which order units go: each group by its own scores, or by an order that all of a shared tensor have in common."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prune.graph.operators.operator import Channels
from prune.selection.problem import Problem

_Values = NDArray[np.float64]


def first_units(problem: Problem, alive: Sequence[Channels], number: int, count: int) -> Channels:
    """Return the first `count` units of a group: those alive, then by priority; equals by their index."""
    order = np.lexsort((-_priority(problem, alive, number), ~alive[number]))
    units = np.zeros(len(order), dtype=bool)
    units[order[:count]] = True
    return units


def common_order(problem: Problem, alive: Sequence[Channels], tensor: int) -> _Values:
    """Return what orders the channels of a shared tensor: by how many groups keep them, then by their mean score."""
    numbers = problem.shared_tensors[tensor]
    width = max(max(problem.groups[number].channel_indices) for number in numbers) + 1
    total, keep = np.zeros(width), np.zeros(width)
    for number in numbers:
        channels = list(problem.groups[number].channel_indices)
        np.add.at(total, channels, problem.scores[number])
        np.add.at(keep, channels, alive[number])
    common: _Values = keep + total / (total.max() * (1 + 1e-9))
    return common


def ranks(values: _Values) -> _Values:
    """Return the rank of each value, from 0 for the least to 1 for the most; of equals the first is the most."""
    return 1 - np.argsort(np.argsort(-values, kind="stable"), kind="stable") / max(1, len(values) - 1)


def _priority(problem: Problem, alive: Sequence[Channels], number: int) -> _Values:
    """Return what orders the units of a group: the highest stay."""
    own, group = problem.scores[number], problem.groups[number]
    if problem.channel_order == "independent" or group.shared_tensor not in problem.shared_tensors:
        return own
    common = common_order(problem, alive, group.shared_tensor)[list(group.channel_indices)]
    if problem.channel_order == "shared":
        return common
    # Ranks, which do not ask how far apart scores are.
    return (1 - problem.blend) * ranks(own) + problem.blend * ranks(common)
