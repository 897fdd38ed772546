"""Which channels to keep: those whose scores are the least per cost that their removal saves go first."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from prune.costs import Costs, Metric, counts_up_to
from prune.flow import Channels, Flow, everything, flow
from prune.plan import Kept, Member, Plan, Side
from prune.sites import shown
from prune.stairs import worth_having
from prune.variables import Variable, ranks, units_of
from sr.errors import InputError

Mode = Literal["free", "pulled", "nested"]
MODES: tuple[Mode, ...] = ("free", "pulled", "nested")
Scores = Sequence[NDArray[np.float64]]
# Without a table of stairs a variable loses this share of its units at a time.
SHARE = 1 / 16
# Below what any channel scores: those without a score go first, but not for nothing.
LEAST_SCORE = 1e-12
# Convolutions that end together as one branch of a block, at most; and no more than a third of all.
BRANCH = 4


@dataclass
class Selection:
    """What is kept of every variable, and what that costs.

    mode: `free` drops the units with the lowest scores of each variable; `nested` drops them in one order per stream,
    so that kept sets are runs that begin together; `pulled` mixes both by `pull` (0 to 1). limits: the most that the
    plan may cost by each metric.
    """

    costs: Costs
    variables: tuple[Variable, ...]
    scores: Scores
    mode: Mode
    limits: Mapping[Metric, float]
    alive: list[Channels]
    pull: float = 1.0
    spent: dict[Metric, float] = field(default_factory=dict)
    present: list[Channels] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.everything = everything(self.costs.graph)
        colours = shown(self.costs.graph)
        convs = self.costs.graph.convs().items()
        self.painters = [name for name, node in convs if self.costs.graph.components[node] in colours]
        # Most of a plan is that of the move before: what was worked out for one convolution or variable is kept.
        self.known_kept: dict[tuple[str, tuple[bytes, ...]], Kept] = {}
        self.known_left: dict[tuple[int, tuple[tuple[int, ...], ...]], Channels] = {}
        self.scores = [np.maximum(score, LEAST_SCORE) for score in self.scores]
        self.stairs = [self.counts(variable) for variable in self.variables]
        self.streams = self.shared_streams()
        self.naming = self.variables_by_conv()
        self.settle(self.alive)

    def counts(self, variable: Variable) -> tuple[int, ...]:
        """Return the numbers of units worth having, descending to 0."""
        units = variable.group.units
        if "runtime" not in self.limits or self.costs.table is None:
            step = max(1, round(units * SHARE))
            return (*range(units, 0, -step), 0)
        member = max(variable.group.members, key=self.dense_ms)
        name, kept = member.conv, self.everything[member.conv]
        depthwise = self.costs.graph.conv(self.costs.places[name][0]).groups > 1
        costs = {}
        for count in counts_up_to(units):
            # A part of a concatenation is judged as if all parts had its share.
            inputs, outputs = len(kept.inputs), len(kept.outputs)
            inputs = inputs * count // units if member.side == "inputs" or depthwise else inputs
            outputs = outputs * count // units if member.side == "outputs" or depthwise else outputs
            costs[count] = self.costs.conv_ms(name, inputs, outputs)
        return (*sorted(worth_having(costs), reverse=True), 0)

    def dense_ms(self, member: Member) -> float:
        """Return what the convolution of a member takes with all its channels."""
        kept = self.everything[member.conv]
        return self.costs.conv_ms(member.conv, len(kept.inputs), len(kept.outputs))

    def shared_streams(self) -> dict[int, list[int]]:
        """Return per stream the variables that index its channels, where there are several."""
        found: dict[int, list[int]] = {}
        for number, variable in enumerate(self.variables):
            if variable.stream is not None:
                found.setdefault(variable.stream, []).append(number)
        return {stream: numbers for stream, numbers in found.items() if len(numbers) > 1}

    def variables_by_conv(self) -> dict[str, list[int]]:
        """Return per convolution the variables that name it, ascending."""
        found: dict[str, set[int]] = {}
        for number, variable in enumerate(self.variables):
            for member in variable.group.members:
                found.setdefault(member.conv, set()).add(number)
        return {name: sorted(numbers) for name, numbers in found.items()}

    def kept(self, alive: Sequence[Channels]) -> dict[str, Kept]:
        """Return the plan for the units that are alive; what no variable names is kept."""
        kept = dict(self.everything)
        for name, numbers in self.naming.items():
            key = name, tuple(alive[number].tobytes() for number in numbers)
            if key not in self.known_kept:
                self.known_kept[key] = self.kept_of(name, alive)
            kept[name] = self.known_kept[key]
        return kept

    def kept_of(self, name: str, alive: Sequence[Channels]) -> Kept:
        """Return what one convolution keeps."""
        dropped: dict[Side, set[int]] = {"inputs": set(), "outputs": set()}
        for number in self.naming[name]:
            units = np.flatnonzero(~alive[number])
            for member in self.variables[number].group.members:
                if member.conv == name:
                    dropped[member.side].update(channel for unit in units for channel in member.channels[unit])
        every = self.everything[name]
        sides = (every.inputs, dropped["inputs"]), (every.outputs, dropped["outputs"])
        return Kept(*(tuple(channel for channel in side if channel not in gone) for side, gone in sides))

    def followed(self, alive: Sequence[Channels]) -> Flow | None:
        """Return what is left of the network, None where that is too little."""
        try:
            followed = flow(self.costs.graph, self.kept(alive))
        except InputError:
            return None
        # A picture that no convolution adds to is what interpolation gives.
        return followed if all(followed.kept[name].outputs for name in self.painters) else None

    def cost(self, followed: Flow) -> dict[Metric, float]:
        """Return the cost by each limited metric."""
        return {metric: self.costs.of(followed, metric) for metric in self.limits}

    def left(self, followed: Flow) -> list[Channels]:
        """Return the units of which a plan in normal form leaves a channel of any member.

        With a convolution's last input go all its outputs.
        """
        found = []
        for number, variable in enumerate(self.variables):
            kept = [(followed.kept[member.conv], member.side) for member in variable.group.members]
            sides = tuple(sides.inputs if side == "inputs" else sides.outputs for sides, side in kept)
            if (number, sides) not in self.known_left:
                self.known_left[number, sides] = units_of(variable.group, sides)
            found.append(self.known_left[number, sides])
        return found

    def lost(self, move: tuple[str, int], followed: Flow) -> float:
        """Return the score of what would be gone after a move.

        Where a branch ends, its gates before, between and behind its convolutions all tell of one loss: those that the
        move drops are enough. Where more than a branch ends, a sum of small changes says too little: the larger of what
        all gates before convolutions and all behind them tell.
        """
        kind, number = move
        left = self.left(followed)
        gone = [old & ~new for old, new in zip(self.present, left, strict=True)]
        there = [name for name, kept in self.now.kept.items() if kept.outputs]
        ended = sum(not followed.kept[name].outputs for name in there)
        branch = ended <= min(BRANCH, len(there) // 3)
        if kind != "stream" and branch:
            return float(self.scores[number][gone[number]].sum())
        lost = {"inputs": 0.0, "outputs": 0.0}
        for variable, score, units in zip(self.variables, self.scores, gone, strict=True):
            lost[variable.group.members[0].side] += float(score[units].sum())
        return min(lost.values()) if branch and min(lost.values()) > 0 else max(lost.values())

    def excess(self, spent: Mapping[Metric, float]) -> float:
        """Return by how many times the limits are exceeded, summed; 0 within all."""
        return sum(max(0.0, spent[metric] / limit - 1) for metric, limit in self.limits.items())

    def priority(self, number: int) -> NDArray[np.float64]:
        """Return what orders the units of a variable: the highest stay."""
        own, variable = self.scores[number], self.variables[number]
        if self.mode == "free" or variable.stream not in self.streams:
            return own
        common = self.common(variable.stream)[list(variable.numbers)]
        if self.mode == "nested":
            return common
        # Ranks, which do not ask how far apart scores are.
        return (1 - self.pull) * ranks(own) + self.pull * ranks(common)

    def common(self, stream: int) -> NDArray[np.float64]:
        """Return what orders the channels of a stream: by how many variables keep them, then by their mean score."""
        width = max(max(self.variables[number].numbers) for number in self.streams[stream]) + 1
        total, keep = np.zeros(width), np.zeros(width)
        for number in self.streams[stream]:
            channels = list(self.variables[number].numbers)
            np.add.at(total, channels, self.scores[number])
            np.add.at(keep, channels, self.alive[number])
        common: NDArray[np.float64] = keep + total / (total.max() * (1 + 1e-9))
        return common

    def top(self, number: int, count: int) -> Channels:
        """Return the first `count` units of a variable: those alive, then by priority; equals by their number."""
        order = np.lexsort((-self.priority(number), ~self.alive[number]))
        units = np.zeros(len(order), dtype=bool)
        units[order[:count]] = True
        return units

    def moves(self) -> Iterator[tuple[str, int]]:
        """Yield all that can be done: a step down for a variable, its end, a step down for a stream."""
        for number in range(len(self.variables)):
            yield "step", number
            yield "end", number
        for stream in self.streams:
            yield "stream", stream

    def after(self, move: tuple[str, int]) -> list[Channels] | None:
        """Return what is alive after a move, None where it does nothing."""
        kind, number = move
        alive = list(self.alive)
        if kind == "stream":
            self.narrow(alive, number)
        else:
            below = self.below(number, int(alive[number].sum()))
            if below is None:
                return None
            alive[number] = self.top(number, below if kind == "step" else 0)
        changed = any((new != old).any() for new, old in zip(alive, self.alive, strict=True))
        return alive if changed else None

    def below(self, number: int, count: int) -> int | None:
        """Return the next number of units worth having, None at 0."""
        return next((stair for stair in self.stairs[number] if stair < count), None)

    def narrow(self, alive: list[Channels], stream: int) -> None:
        """Drop the channels of a stream that come last in its order, down to the next stair, from all its variables."""
        numbers = self.streams[stream]
        common = self.common(stream)
        used = np.zeros(len(common), dtype=bool)
        for number in numbers:
            used[list(self.variables[number].numbers)] |= alive[number]
        width = self.below(max(numbers, key=lambda each: self.variables[each].group.units), int(used.sum())) or 0
        stays = np.zeros(len(common), dtype=bool)
        stays[np.argsort(-np.where(used, common, -1), kind="stable")[:width]] = True
        for number in numbers:
            alive[number] = alive[number] & stays[list(self.variables[number].numbers)]

    def rated(self, move: tuple[str, int]) -> tuple[float, list[Channels], dict[Metric, float]] | None:
        """Return the score lost per cost saved, and what is then alive and spent; None where nothing is saved."""
        alive = self.after(move)
        followed = None if alive is None else self.followed(alive)
        if alive is None or followed is None:
            return None
        spent = self.cost(followed)
        saved = self.excess(self.spent) - self.excess(spent)
        if saved <= 0:
            return None
        return self.lost(move, followed) / saved, alive, spent

    def settle(self, alive: list[Channels]) -> None:
        """Take what is alive for the present state."""
        followed = self.followed(alive)
        if followed is None:
            raise InputError("the plan to go on from leaves too little of the network")
        self.alive, self.now, self.spent, self.present = alive, followed, self.cost(followed), self.left(followed)

    def shrink(self) -> None:
        """Drop units until all limits are met; raises InputError where they cannot be."""
        self.alive = list(self.present)
        while self.excess(self.spent) > 0:
            # What saved nothing when it was tried may do so by now: all moves again.
            if not self.descend():
                raise InputError(
                    f"no plan of this network stays within {dict(self.limits)}: the least costs {self.spent}; "
                    "raise the limits"
                )

    def descend(self) -> bool:
        """Make the best moves, until all limits are met or each saves nothing; tell whether one was made."""
        heap, made = sorted((0.0, move) for move in self.moves()), False
        while heap and self.excess(self.spent) > 0:
            _, move = heapq.heappop(heap)
            rated = self.rated(move)
            if rated is None:
                continue
            # Ratings mostly grow old upwards, so one that is still the least is the least of all.
            if heap and rated[0] > heap[0][0]:
                heapq.heappush(heap, (rated[0], move))
                continue
            self.settle(rated[1])
            # Units that nobody reads or writes any more are gone: the next step counts from what is there.
            self.alive, made = list(self.present), True
            heapq.heappush(heap, (rated[0], move))
        return made

    def fill(self) -> None:
        """Take units back, best first, where the limits still allow it: up to the next stair they may cost nothing."""
        grown = True
        while grown:
            grown = False
            order = sorted(range(len(self.variables)), key=self.best_dropped, reverse=True)
            for number in order:
                grown = self.raise_one(number) or grown

    def best_dropped(self, number: int) -> float:
        """Return the highest score among the dropped units of a variable."""
        return float(np.where(self.alive[number], 0, self.scores[number]).max())

    def raise_one(self, number: int) -> bool:
        """Take a variable up one stair where that stays within the limits."""
        count = int(self.alive[number].sum())
        above = [stair for stair in self.stairs[number] if stair > count]
        if not above or not count:
            return False
        alive = list(self.alive)
        alive[number] = self.top(number, above[-1])
        followed = self.followed(alive)
        if followed is None or self.excess(self.cost(followed)) > 0:
            return False
        self.settle(alive)
        return True

    def plan(self) -> Plan:
        """Return the plan in normal form, streams ordered so that kept sets are close to runs."""
        graph = self.costs.graph
        orders = {}
        names = {component: graph.component_name(node) for node, component in graph.components.items()}
        for stream in self.streams:
            if stream not in graph.fixed:
                orders[names[stream]] = tuple(np.argsort(-self.common(stream), kind="stable").tolist())
        return Plan(dict(flow(graph, self.kept(self.alive)).kept), {}, orders)
