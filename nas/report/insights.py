"""What a search teaches beyond its winner: what predicts runtime, what matters, who wins where, when it grew."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nas.report.run import Run
from nas.trial import Trial
from search_spaces.architecture import Architecture
from sr.measure.measurement import Measurement
from sr.pareto import hypervolume
from sr.rank_correlation import spearman

# What AIM 2020 correlated with the runtime, by the name here and the column of its Table 1.
COUNTS: dict[str, tuple[Callable[[Measurement], float], str | None]] = {
    "activations": (lambda each: each.complexity.activations, "activations_m"),
    "multiply-adds": (lambda each: each.complexity.multi_adds, "flops_g"),
    "memory at the peak": (lambda each: each.memory, "memory_m"),
    "parameters": (lambda each: each.complexity.params, "params_m"),
    "convolutions": (lambda each: each.complexity.convs, None),
}
# What a candidate was free to choose.
_PARAMETERS: dict[str, Callable[[Architecture], int | str]] = {
    "width (channels)": lambda each: each.num_feat,
    "depth (blocks)": lambda each: len(kinds_of(each)),
    "main kind of block": lambda each: main_kind(each),
    "upsampler": lambda each: each.upsampler,
    "image skip": lambda each: each.image_skip,
    "aggregation": lambda each: each.aggregation,
}
# With fewer candidates no share of a spread means anything.
_FEWEST = 8


@dataclass(frozen=True)
class Importance:
    """How much of the spread between candidates a parameter explains, 0 to 1; None where it was always the same."""

    parameter: str
    psnr: float | None
    runtime: float | None


@dataclass(frozen=True)
class Value:
    """How candidates with one value of a parameter did; best: dB, None where none was trained."""

    parameter: str
    value: str
    tried: int
    winners: int
    best: float | None


@dataclass(frozen=True)
class Growth:
    """The area between the front and its corner after a candidate, dB x ms."""

    number: int
    volume: float


def kinds_of(architecture: Architecture) -> list[str]:
    """Return the kinds of its blocks, empty positions left out."""
    return [block.kind for block in architecture.blocks if block.kind != "identity"]


def main_kind(architecture: Architecture) -> str:
    """Return the kind that most of its blocks are of."""
    found = Counter(kinds_of(architecture)).most_common(1)
    return found[0][0] if found else "none"


def runtime_correlations(trials: Sequence[Trial]) -> dict[str, float | None]:
    """Return by each count how alike it orders measured networks to their runtime: Spearman's, -1 to 1."""
    measured = [(each.measurement, each.runtime_ms) for each in trials if each.measurement is not None]
    runtimes = [ms for _, ms in measured]
    return {
        name: spearman([float(of(each)) for each, _ in measured], runtimes) if len(measured) > 2 else None
        for name, (of, _) in COUNTS.items()
    }


def importances(trained: Sequence[Trial]) -> list[Importance]:
    """Return what each parameter explains, that of the PSNR first; nothing of few candidates."""
    if len(trained) < _FEWEST:
        return []
    psnr, runtime = [each.psnr for each in trained], [each.runtime_ms for each in trained]
    found = []
    for name, of in _PARAMETERS.items():
        values = [of(each.architecture) for each in trained]
        found.append(Importance(name, explained(values, psnr), explained(values, runtime)))
    return sorted(found, key=lambda each: -(each.psnr or 0.0))


def explained(groups: Sequence[int | str], values: Sequence[float]) -> float | None:
    """Return which share of the spread of values' ranks lies between groups: epsilon squared of Kruskal and Wallis.

    It is corrected for the number of groups (Kelley, PNAS 1935), so that a parameter that says nothing gets about 0.

    Args:
        groups: Of each value the group that it is in.
        values: As many.

    Returns:
        0 to 1; None where there is one group, or no two values of one.
    """
    ranks: NDArray[np.float64] = stats.rankdata(values)
    names, count = set(groups), len(values)
    if len(names) < 2 or count <= len(names) or ranks.std() == 0:
        return None
    of = np.array([str(group) for group in groups])
    within = sum(float(((ranks[of == str(name)] - ranks[of == str(name)].mean()) ** 2).sum()) for name in names)
    total = float(((ranks - ranks.mean()) ** 2).sum())
    return max(0.0, 1 - within / total * (count - 1) / (count - len(names)))


def winners(run: Run) -> list[Trial]:
    """Return who stands for the best: the front, or the best quarter by PSNR where that is more."""
    quarter = sorted(run.trained, key=lambda each: -each.psnr)[: math.ceil(len(run.trained) / 4)]
    return run.front if len(run.front) >= len(quarter) else quarter


def values_tried(run: Run) -> list[Value]:
    """Return how each value of each parameter did, those of a parameter side by side."""
    won = {each.number for each in winners(run)}
    found = []
    for name, of in _PARAMETERS.items():
        by_value: dict[int | str, list[Trial]] = {}
        for each in run.measured:
            by_value.setdefault(of(each.architecture), []).append(each)
        for value in sorted(by_value, key=lambda each: (isinstance(each, str), each)):
            same = by_value[value]
            psnr = [each.psnr for each in same if each.state == "trained"]
            wins = sum(each.number in won for each in same)
            found.append(Value(name, str(value), len(same), wins, max(psnr, default=None)))
    return found


def kinds_by_position(trials: Sequence[Trial]) -> dict[str, list[float]]:
    """Return by kind which share of these networks has it at each position, empty ones closed up; the most used first.

    A network that is shallower than a position counts as having nothing there.
    """
    stacks = [kinds_of(each.architecture) for each in trials]
    depth = max(map(len, stacks), default=0)
    used = [kind for kind, _ in Counter(kind for stack in stacks for kind in stack).most_common()]
    return {
        kind: [sum(len(stack) > at and stack[at] == kind for stack in stacks) / len(stacks) for at in range(depth)]
        for kind in used
    }


def growth(run: Run) -> list[Growth]:
    """Return the area that the front dominates whenever it grew, and at the last candidate.

    Between the front in PSNR and runtime, the budget, and the least PSNR of the first eight trained candidates: this
    corner stays, so that the area never shrinks.
    """
    if len(run.trained) < _FEWEST:
        return []
    corner = (-min(each.psnr for each in run.trained[:_FEWEST]), run.budget_ms)
    front: list[tuple[float, float]] = []
    found: list[Growth] = []
    for each in run.trained:
        point = (-each.psnr, each.runtime_ms)
        if any(other[0] <= point[0] and other[1] <= point[1] for other in front):
            continue
        front = [other for other in front if not (point[0] <= other[0] and point[1] <= other[1])] + [point]
        volume = hypervolume(front, corner)
        if not found or volume > found[-1].volume:
            found.append(Growth(each.number, volume))
    last = run.trained[-1].number
    if found and found[-1].number != last:
        found.append(Growth(last, found[-1].volume))
    return found
