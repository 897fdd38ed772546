"""The methods that are compared: our own per layer, and torch-pruning's coupled groups."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prune.config import PER_LAYER, ChannelOrder, MethodName, PruneConfig
from prune.depgraph.groups import coupled_groups, magnitude_scores
from prune.graph.groups import Group
from prune.graph.plan import Kept
from prune.graph.tracing import Graph
from prune.scoring.gates import Scores


@dataclass(frozen=True)
class Variant:
    """A method, and how kept channels of one tensor lie in what it leaves."""

    method: MethodName
    channel_order: ChannelOrder = "independent"

    @property
    def is_ours(self) -> bool:
        """Whether it is our own method."""
        return self.method == PER_LAYER

    @property
    def title(self) -> str:
        """How it is called in reports."""
        return f"{self.method} ({self.channel_order})" if self.is_ours else self.method

    @property
    def folder(self) -> str:
        """The name of the folder with its results."""
        return f"{self.method}-{self.channel_order}" if self.is_ours else self.method


def variants_of(config: PruneConfig) -> list[Variant]:
    """Return what is compared: our own method in each channel order, the others once."""
    found = []
    for method in config.methods:
        orders = config.channel_orders if method == PER_LAYER else ("independent",)
        found += [Variant(method, order) for order in orders]
    return found


@dataclass(frozen=True)
class Method:
    """What is chosen among, and by which scores.

    Attributes:
        groups: Whose units are kept or dropped.
        scores: From the gates' scores per site to those per group.
        channel_order: How kept channels of one tensor lie.
        may_tie: Whether its groups, one site each, may be tied where freedom of each does not pay.
    """

    groups: tuple[Group, ...]
    scores: Callable[[Scores], Scores]
    channel_order: ChannelOrder
    may_tie: bool = False


def method_of(variant: Variant, sites: tuple[Group, ...], graph: Graph) -> Method:
    """Return how a variant prunes.

    "group" sums the gates' scores over all that torch-pruning couples, so that only the grouping differs from ours;
    "magnitude" takes torch-pruning's own importance.

    Args:
        variant: The method and the channel order.
        sites: Where the gates stand.
        graph: The dense network.

    Raises:
        InputError: Where torch-pruning cannot prune this network.
    """
    if variant.is_ours:
        return Method(sites, lambda scores: scores, variant.channel_order, may_tie=variant.channel_order == "shared")
    groups = coupled_groups(graph.module)
    if variant.method == "magnitude":
        return Method(groups, lambda _: _by_magnitude(graph, groups), variant.channel_order)
    return Method(groups, lambda scores: over_groups(groups, sites, scores), variant.channel_order)


def over_groups(groups: Sequence[Group], sites: Sequence[Group], scores: Scores) -> Scores:
    """Return per group and unit the sum of the gates' scores over all of its members.

    Args:
        groups: Groups of several members.
        sites: Where the gates stand, each in one member.
        scores: Per site those of its gates.
    """
    of_channel: dict[tuple[str, str, int], tuple[int, int]] = {}
    for number, site in enumerate(sites):
        (member,) = site.members
        for unit, channels in enumerate(member.channels):
            of_channel.update({(member.conv, member.side, channel): (number, unit) for channel in channels})
    found = []
    for group in groups:
        total = np.zeros(group.units)
        for member in group.members:
            for unit, channels in enumerate(member.channels):
                keys = ((member.conv, member.side, channel) for channel in channels)
                gates = {of_channel[key] for key in keys if key in of_channel}
                total[unit] += sum(float(scores[number][gate]) for number, gate in gates)
        found.append(total)
    return found


def units_kept(groups: Sequence[Group], kept: Mapping[str, Kept]) -> list[NDArray[np.bool_]]:
    """Return per group the units of which a plan keeps a channel in every member."""
    found = []
    for group in groups:
        alive = np.ones(group.units, dtype=bool)
        for member in group.members:
            stays = set(kept[member.conv].on(member.side))
            alive &= np.array([not stays.isdisjoint(channels) for channels in member.channels])
        found.append(alive)
    return found


def _by_magnitude(graph: Graph, groups: Sequence[Group]) -> Scores:
    """Return torch-pruning's importance per unit."""
    return [score.double().numpy() for score in magnitude_scores(graph.module, groups)]
