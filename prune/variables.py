"""What a selection chooses among: units that are kept or dropped by an order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prune.flow import Channels
from prune.plan import Group
from prune.sites import Site


@dataclass(frozen=True)
class Variable:
    """Units that are kept or dropped by their order.

    group: the channels that a unit stands for. stream and numbers: as in `Site`; None where the units are compared with
    no other's.
    """

    group: Group
    stream: int | None = None
    numbers: tuple[int, ...] = ()


def of_sites(sites: Sequence[Site]) -> tuple[Variable, ...]:
    """Return a variable per site: every side of every convolution for itself."""
    return tuple(Variable(Group((site.member,)), site.stream, site.numbers) for site in sites)


def units_of(group: Group, sides: Sequence[tuple[int, ...]]) -> Channels:
    """Return the units of which a channel is among those kept on the side of any member; sides: those, per member."""
    units = np.zeros(group.units, dtype=bool)
    for member, kept in zip(group.members, map(set, sides), strict=True):
        units |= np.array([not kept.isdisjoint(unit) for unit in member.channels])
    return units


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each value, from 0 for the least to 1 for the most; of equals the first is the most."""
    return 1 - np.argsort(np.argsort(-values, kind="stable"), kind="stable") / max(1, len(values) - 1)
