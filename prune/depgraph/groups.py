"""Channels that go together by torch-pruning's dependency graph: the rival of pruning each convolution by itself.

Every answer of the library is tried out before it is given.
"""

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from prune.depgraph.library import LIBRARY_FAILURES, LibraryGraph, beyond, example, magnitude_importance, traced
from prune.depgraph.units import check_units, silenced, touched
from prune.graph.groups import Group, Member
from prune.graph.plan import Side

# Of the largest output value, in float64.
_TOLERANCE = 1e-9
_INSIDE = "network."


def coupled_groups(network: nn.Module) -> tuple[Group, ...]:
    """Return every group of at least two units that torch-pruning can remove units of.

    Left whole: whatever is coupled with the picture's channels, read or written, and with frozen weights.

    Args:
        network: Deployed; left as it is.

    Returns:
        The groups; the first member of each is where the library starts: one channel per unit where any has that.

    Raises:
        InputError: Where the library does not see through the network.
    """
    try:
        groups = tuple(_found_groups(network))
    except LIBRARY_FAILURES as error:
        raise beyond(network, str(error) or type(error).__name__) from error
    _try_out(network, groups)
    return groups


def magnitude_scores(network: nn.Module, groups: Sequence[Group]) -> tuple[Tensor, ...]:
    """Return torch-pruning's own score of each unit; see `magnitude_importance`.

    Args:
        network: Deployed; left as it is.
        groups: Those of `coupled_groups`.

    Returns:
        Per group the scores of its units, float32, their mean 1 (0 where all is zero).
    """
    framed, graph = traced(network)
    scores = []
    for group in groups:
        root = group.members[0]
        unit_of = {channel: unit for unit, channels in enumerate(root.channels) for channel in channels}
        coupled = graph.coupled(framed.network.get_submodule(root.conv), root.side, list(unit_of))
        for item in coupled:
            # The library adds up by place in the group.
            item.root_idxs = [unit_of[channel] for channel in item.root_idxs]
        scores.append(magnitude_importance(coupled)[: group.units].nan_to_num(0.0).cpu())
    return tuple(scores)


def removed(network: nn.Module, groups: Sequence[Group], units: Mapping[int, Sequence[int]]) -> nn.Module:
    """Return a copy of a network from which torch-pruning itself removed units.

    Args:
        network: Deployed; left as it is.
        groups: Those of `coupled_groups`.
        units: By the index of a group those of its units that go.

    Returns:
        The copy, in eval mode.

    Raises:
        InputError: Where a unit is none of the group's or none of them would be left.
    """
    framed, graph = traced(network)
    convs = {conv: framed.network.get_submodule(conv) for conv in {m.conv for i in units for m in groups[i].members}}
    # The library counts among what is left, and a side may belong to several groups.
    left = {(m.conv, m.side): list(range(_width(convs[m.conv], m.side))) for i in units for m in groups[i].members}
    for index, chosen in units.items():
        check_units(index, groups[index], chosen)
        (root, channels), *_ = gone = list(touched(groups, {index: chosen}))
        places = [left[root.conv, root.side].index(channel) for channel in channels]
        if places:
            graph.coupled(convs[root.conv], root.side, places).prune(record_history=False)
        for member, dropped in gone:
            left[member.conv, member.side] = sorted(set(left[member.conv, member.side]) - set(dropped))
    for (conv, side), channels in left.items():
        if _width(convs[conv], side) != len(channels):
            raise beyond(network, f"{_width(convs[conv], side)} {side} of {conv} are left, {len(channels)} should be")
    return framed.network


def _width(conv: nn.Module, side: Side) -> int:
    """Return the number of channels on a side of a convolution."""
    return int(conv.in_channels if side == "inputs" else conv.out_channels)  # type: ignore[arg-type]


def _found_groups(network: nn.Module) -> Iterator[Group]:
    """Yield the groups that the library's graph shows, before any trial."""
    framed, graph = traced(network)
    names = {module: name for name, module in framed.named_modules()}
    seen: set[tuple[nn.Module, int]] = set()
    for conv in [module for module in graph.module2node if isinstance(module, nn.Conv2d)]:
        channels = [channel for channel in range(conv.out_channels) if (conv, channel) not in seen]
        if not channels:
            continue
        sides = _narrowest(graph, conv, channels)
        seen.update((member, channel) for member, side in sides if side == "outputs" for channel in sides[member, side])
        if not any(member in (framed.before, framed.after) or _frozen(member) for member, _ in sides):
            yield from _split_by_members({(names[member], side): roots for (member, side), roots in sides.items()})


def _try_out(network: nn.Module, groups: Sequence[Group]) -> None:
    """Remove one unit of each group; raise InputError where that is not the same as silencing its channels.

    In float64 and with one unit of all groups at once. To silence is to zero what writes the channels and what reads
    them.
    """
    exact = copy.deepcopy(network).eval().double()
    first = dict.fromkeys(range(len(groups)), (0,))
    try:
        lr = example(exact)
        small = removed(exact, groups, first)
        with torch.no_grad():
            got, wanted = small(lr), silenced(exact, groups, first)(lr)
    except LIBRARY_FAILURES as error:
        raise beyond(network, f"what is left does not run: {error or type(error).__name__}") from error
    if got.shape != wanted.shape or (got - wanted).abs().max() > _TOLERANCE * wanted.abs().max():
        raise beyond(network, "what is left computes something else than with those channels silent")


_Sides = dict[tuple[nn.Module, Side], dict[int, int]]


def _narrowest(graph: LibraryGraph, conv: nn.Conv2d, channels: Sequence[int]) -> _Sides:
    """Return what goes with these outputs of `conv`: per side of a convolution, the unit of each channel.

    The library numbers units by the channels that it starts from, four for one where these lie before a shuffle. So it
    starts again from the side with the fewest channels that leads to all of `channels`.
    """
    reached = _sides_of(graph.coupled(conv, "outputs", channels))
    for (member, side), roots in sorted(reached.items(), key=lambda entry: len(entry[1])):
        if len(roots) == len(channels):
            break
        again = _sides_of(graph.coupled(member, side, sorted(roots)))
        if set(channels) <= again.get((conv, "outputs"), {}).keys():
            return again
    return reached


def _sides_of(coupled: Any) -> _Sides:  # noqa: ANN401 - the library's group
    """Return, per side of a convolution, the root of each channel in a group of the library's."""
    sides: _Sides = defaultdict(dict)
    for item in coupled:
        conv, prune = item.dep.layer, item.dep.handler
        if not isinstance(conv, nn.Conv2d):
            continue
        # Both hold for a depthwise convolution.
        found: dict[Side, bool] = {
            "outputs": coupled._DG.is_out_channel_pruning_fn(prune),
            "inputs": coupled._DG.is_in_channel_pruning_fn(prune),
        }
        for side in [side for side, holds in found.items() if holds]:
            sides[conv, side].update(zip(item.idxs, item.root_idxs, strict=True))
    return dict(sides)


def _frozen(conv: nn.Module) -> bool:
    """Return whether a convolution was made not to be trained: the shift by the mean colour."""
    return not any(parameter.requires_grad for parameter in conv.parameters())


def _split_by_members(sides: Mapping[tuple[str, Side], Mapping[int, int]]) -> Iterator[Group]:
    """Yield one group per set of sides that the same units touch; a lone unit cannot go and makes none."""
    channels: dict[int, dict[tuple[str, Side], list[int]]] = defaultdict(lambda: defaultdict(list))
    for key, roots in sides.items():
        for channel, unit in sorted(roots.items()):
            channels[unit][key].append(channel)
    alike: dict[tuple[tuple[str, Side], ...], list[int]] = defaultdict(list)
    for unit in sorted(channels):
        alike[tuple(channels[unit])].append(unit)
    for keys, units in alike.items():
        members = (
            Member(conv.removeprefix(_INSIDE), side, tuple(tuple(channels[unit][conv, side]) for unit in units))
            for conv, side in keys
        )
        if len(units) > 1:
            yield Group(tuple(members))
