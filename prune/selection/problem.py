"""The problem of a selection, which stays as it is: what is chosen among, by which scores, within which limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from prune.config import ChannelOrder, Metric
from prune.graph.groups import Group, Member
from prune.graph.liveness import ChannelLiveness, channel_liveness, everything
from prune.graph.operators.operator import Channels
from prune.graph.plan import Kept, Side
from prune.scoring.sites import shown_components
from prune.selection.costs import Costs
from prune.selection.latency_steps import worth_having
from prune.selection.step_times import counts_up_to
from sr.errors import InputError

Scores = Sequence[NDArray[np.float64]]
# Without a table of latency steps a group loses this share of its units at a time.
_SHARE = 1 / 16
# Below what any channel scores: those without a score go first, but not for nothing.
_LEAST_SCORE = 1e-12


@dataclass(frozen=True)
class Left:
    """What some units leave of the network.

    Attributes:
        kept: The plan in normal form.
        spent: What it costs, by each limited metric.
    """

    kept: Mapping[str, Kept]
    spent: Mapping[Metric, float]


# What was found of plans, by what convolutions keep: None where too little is left.
Known = dict[tuple[Kept, ...], Left | None]


@dataclass(frozen=True)
class Problem:
    """What is chosen among, by which scores, within which limits.

    Attributes:
        costs: Of plans of the dense network.
        groups: Whose units are kept or dropped.
        given_scores: Per group what each unit is worth.
        channel_order: `independent` drops the units with the lowest scores of each group; `shared` drops them in one
            order per shared tensor, so that what is kept are contiguous slices that begin together; `blended` mixes
            both.
        limits: The most that the plan may cost by each metric.
        blend: The share of the common order in a blended one, 0 to 1.
        known: What was found of plans before, also by problems of other groups, scores or limits of the same metrics:
            most of what one tries another tried.
    """

    costs: Costs
    groups: tuple[Group, ...]
    given_scores: Scores
    channel_order: ChannelOrder
    limits: Mapping[Metric, float]
    blend: float = 1.0
    known: Known = field(default_factory=dict, compare=False, repr=False)
    # Most of a plan is that of the move before: what was worked out for one convolution or group is remembered.
    _known_kept: dict[tuple[str, tuple[bytes, ...]], Kept] = field(default_factory=dict, init=False, compare=False)
    _known_present: dict[tuple[int, tuple[tuple[int, ...], ...]], Channels] = field(
        default_factory=dict, init=False, compare=False
    )

    @cached_property
    def scores(self) -> Scores:
        """The scores, none of them 0."""
        return [np.maximum(score, _LEAST_SCORE) for score in self.given_scores]

    @cached_property
    def counts(self) -> list[tuple[int, ...]]:
        """Per group the numbers of units worth having, descending to 0."""
        return [self._counts(group) for group in self.groups]

    @cached_property
    def shared_tensors(self) -> dict[int, list[int]]:
        """Per shared tensor the groups that index its channels, where there are several."""
        found: dict[int, list[int]] = {}
        for number, group in enumerate(self.groups):
            if group.shared_tensor is not None:
                found.setdefault(group.shared_tensor, []).append(number)
        return {tensor: numbers for tensor, numbers in found.items() if len(numbers) > 1}

    def kept(self, alive: Sequence[Channels]) -> dict[str, Kept]:
        """Return the plan for the units that are alive; what no group names is kept."""
        kept = dict(self._everything)
        for name, numbers in self._groups_by_conv.items():
            key = name, tuple(alive[number].tobytes() for number in numbers)
            if key not in self._known_kept:
                self._known_kept[key] = self._kept_of(name, alive)
            kept[name] = self._known_kept[key]
        return kept

    def left(self, alive: Sequence[Channels]) -> Left | None:
        """Return what is left of the network and what that costs, None where it is too little."""
        key = tuple(self.kept(alive).values())
        if key not in self.known:
            liveness = self.liveness(alive)
            self.known[key] = None if liveness is None else Left(liveness.kept, self.spent(liveness))
        return self.known[key]

    def liveness(self, alive: Sequence[Channels]) -> ChannelLiveness | None:
        """Return what is left of the network, None where that is too little."""
        try:
            liveness = channel_liveness(self.costs.graph, self.kept(alive))
        except InputError:
            return None
        # A picture that no convolution adds to is what interpolation gives.
        return liveness if all(liveness.kept[name].outputs for name in self._output_convs) else None

    def spent(self, liveness: ChannelLiveness) -> dict[Metric, float]:
        """Return the cost by each limited metric."""
        return {metric: self.costs.of(liveness, metric) for metric in self.limits}

    def excess(self, spent: Mapping[Metric, float]) -> float:
        """Return by how many times the limits are exceeded, summed; 0 within all."""
        return sum(max(0.0, spent[metric] / limit - 1) for metric, limit in self.limits.items())

    def present(self, kept: Mapping[str, Kept]) -> list[Channels]:
        """Return the units of which a plan in normal form leaves a channel of any member.

        With a convolution's last input go all its outputs.
        """
        found = []
        for number, group in enumerate(self.groups):
            sides = tuple(kept[member.conv].on(member.side) for member in group.members)
            if (number, sides) not in self._known_present:
                self._known_present[number, sides] = units_of(group, sides)
            found.append(self._known_present[number, sides])
        return found

    @cached_property
    def _everything(self) -> dict[str, Kept]:
        """What the dense network keeps."""
        return everything(self.costs.graph)

    @cached_property
    def _output_convs(self) -> list[str]:
        """The convolutions that write the picture's colours."""
        colours = shown_components(self.costs.graph)
        convs = self.costs.graph.convs().items()
        return [name for name, node in convs if self.costs.graph.components[node] in colours]

    @cached_property
    def _groups_by_conv(self) -> dict[str, list[int]]:
        """Per convolution the groups that name it, ascending."""
        found: dict[str, set[int]] = {}
        for number, group in enumerate(self.groups):
            for member in group.members:
                found.setdefault(member.conv, set()).add(number)
        return {name: sorted(numbers) for name, numbers in found.items()}

    def _counts(self, group: Group) -> tuple[int, ...]:
        """Return the numbers of units worth having of one group, descending to 0."""
        units = group.units
        if "runtime" not in self.limits or self.costs.table is None:
            step = max(1, round(units * _SHARE))
            return (*range(units, 0, -step), 0)
        member = max(group.members, key=self._dense_ms)
        name, kept = member.conv, self._everything[member.conv]
        depthwise = self.costs.graph.conv(self.costs.places[name].node).groups > 1
        costs = {}
        for count in counts_up_to(units):
            # A part of a concatenation is judged as if all parts had its share.
            inputs, outputs = len(kept.inputs), len(kept.outputs)
            inputs = inputs * count // units if member.side == "inputs" or depthwise else inputs
            outputs = outputs * count // units if member.side == "outputs" or depthwise else outputs
            costs[count] = self.costs.conv_ms(name, inputs, outputs)
        return (*sorted(worth_having(costs), reverse=True), 0)

    def _dense_ms(self, member: Member) -> float:
        """Return what the convolution of a member takes with all its channels."""
        kept = self._everything[member.conv]
        return self.costs.conv_ms(member.conv, len(kept.inputs), len(kept.outputs))

    def _kept_of(self, name: str, alive: Sequence[Channels]) -> Kept:
        """Return what one convolution keeps."""
        dropped: dict[Side, set[int]] = {"inputs": set(), "outputs": set()}
        for number in self._groups_by_conv[name]:
            units = np.flatnonzero(~alive[number])
            for member in self.groups[number].members:
                if member.conv == name:
                    dropped[member.side].update(channel for unit in units for channel in member.channels[unit])
        every = self._everything[name]
        sides = (every.inputs, dropped["inputs"]), (every.outputs, dropped["outputs"])
        return Kept(*(tuple(channel for channel in side if channel not in gone) for side, gone in sides))


def units_of(group: Group, sides: Sequence[tuple[int, ...]]) -> Channels:
    """Return the units of which a channel is among those kept on the side of any member; sides: those, per member."""
    units = np.zeros(group.units, dtype=bool)
    for member, kept in zip(group.members, map(set, sides), strict=True):
        units |= np.array([not kept.isdisjoint(unit) for unit in member.channels])
    return units
