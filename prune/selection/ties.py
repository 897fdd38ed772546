"""Sites that are chosen one by one, or tied: all that read or write one tensor keep the same channels of it.

A channel that one convolution alone drops saves little where an engine copies for it; tied, as groups of coupled
channels are, it leaves the tensor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prune.graph.groups import Group, Member
from prune.graph.operators.operator import Channels

# With more shared tensors than these all are tied, or none.
_MOST_TENSORS = 4


@dataclass(frozen=True)
class Grouping:
    """What is chosen among: sites, some of them tied.

    Attributes:
        groups: The groups.
        sites: Per group the sites that it is made of, by number.
        all_sites: The sites.
    """

    groups: tuple[Group, ...]
    sites: tuple[tuple[int, ...], ...]
    all_sites: tuple[Group, ...]

    def scores(self, of_sites: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        """Return per group the sum of what its sites' gates are worth."""
        return [self._joined(group, of_sites, np.add) for group in range(len(self.groups))]

    def alive(self, of_sites: Sequence[Channels]) -> list[Channels]:
        """Return per group the units that any of its sites keeps."""
        return [self._joined(group, of_sites, np.logical_or) for group in range(len(self.groups))]

    def alive_sites(self, of_groups: Sequence[Channels]) -> list[Channels]:
        """Return per site the units that its group keeps."""
        found: list[Channels] = [np.ones(site.units, dtype=bool) for site in self.all_sites]
        for numbers, units in zip(self.sites, of_groups, strict=True):
            for number in numbers:
                found[number] = units[self._places(number, tied=len(numbers) > 1)]
        return found

    def _joined(self, group: int, of_sites: Sequence[NDArray], join: np.ufunc) -> NDArray:  # type: ignore[type-arg]
        """Return what the sites of a group have per unit, joined."""
        numbers = self.sites[group]
        joined = np.zeros(self.groups[group].units, dtype=of_sites[numbers[0]].dtype)
        for number in numbers:
            join.at(joined, self._places(number, tied=len(numbers) > 1), of_sites[number])
        return joined

    def _places(self, number: int, *, tied: bool) -> list[int]:
        """Return per unit of a site the unit of its group."""
        site = self.all_sites[number]
        return list(site.channel_indices) if tied else list(range(site.units))


def groupings(sites: tuple[Group, ...]) -> list[Grouping]:
    """Return what may be tied: all shared tensors, each alone, none; the fewest choices first."""
    tensors = [tensor for tensor, numbers in _by_tensor(sites).items() if len(numbers) > 1]
    alone = [{tensor} for tensor in tensors] if 1 < len(tensors) <= _MOST_TENSORS else []
    found = [set(tensors), *alone, set[int]()] if tensors else [set[int]()]
    return [grouping_of(sites, tied) for tied in found]


def grouping_of(sites: tuple[Group, ...], tied: set[int]) -> Grouping:
    """Return the sites with those of some shared tensors tied."""
    groups: list[Group] = []
    numbers: list[tuple[int, ...]] = []
    by_tensor = _by_tensor(sites)
    for number, site in enumerate(sites):
        if site.shared_tensor not in tied:
            groups.append(site)
            numbers.append((number,))
        elif (together := by_tensor[site.shared_tensor])[0] == number:
            groups.append(_tied([sites[each] for each in together]))
            numbers.append(tuple(together))
    return Grouping(tuple(groups), tuple(numbers), sites)


def _by_tensor(sites: Sequence[Group]) -> dict[int, list[int]]:
    """Return per tensor the sites that index its channels."""
    found: dict[int, list[int]] = {}
    for number, site in enumerate(sites):
        if site.shared_tensor is not None:
            found.setdefault(site.shared_tensor, []).append(number)
    return found


def _tied(sites: Sequence[Group]) -> Group:
    """Return one group of the sites of one tensor; its units are the tensor's channels."""
    width = max(max(site.channel_indices) for site in sites) + 1
    members = []
    for site in sites:
        for member in site.members:
            channels: list[tuple[int, ...]] = [()] * width
            for channel, own in zip(site.channel_indices, member.channels, strict=True):
                channels[channel] += own
            members.append(Member(member.conv, member.side, tuple(channels)))
    return Group(tuple(members))
