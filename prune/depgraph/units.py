"""Units of groups: which channels of which convolutions they are, and a network in which some are silent."""

import copy
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import nn

from prune.graph.groups import Group, Member
from sr.errors import InputError


def touched(groups: Sequence[Group], units: Mapping[int, Sequence[int]]) -> Iterator[tuple[Member, list[int]]]:
    """Yield each member of the groups of `units` with the channels that it has of them, ascending."""
    for index, chosen in units.items():
        for member in groups[index].members:
            yield member, sorted({channel for unit in chosen for channel in member.channels[unit]})


def check_units(index: int, group: Group, chosen: Sequence[int]) -> None:
    """Raise InputError unless `chosen` are units of `group`, the `index`-th, and not all of them."""
    wrong = sorted(set(chosen) - set(range(group.units)))
    if wrong:
        raise InputError(f"group {index} has the units 0 to {group.units - 1}, got {wrong[0]}")
    if len(set(chosen)) == group.units:
        raise InputError(f"a group keeps at least one unit; all {group.units} of group {index} were to be removed")


def silenced(network: nn.Module, groups: Sequence[Group], units: Mapping[int, Sequence[int]]) -> nn.Module:
    """Return a copy of `network` whose convolutions neither write nor read these units' channels, all shapes kept."""
    silent = copy.deepcopy(network)
    for member, channels in touched(groups, units):
        conv = silent.get_submodule(member.conv)
        assert isinstance(conv, nn.Conv2d)
        with torch.no_grad():
            if member.side == "outputs":
                for weights in conv.parameters(recurse=False):
                    weights[channels] = 0
            elif conv.groups == 1:
                conv.weight[:, channels] = 0
    return silent
