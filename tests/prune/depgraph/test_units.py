"""Units of groups, worked out by hand on a network of two convolutions around a pixel shuffle."""

import pytest
import torch
from torch import nn

from prune.depgraph.units import check_units, silenced, touched
from prune.graph.groups import Group, Member
from sr.errors import InputError

# Three units: four channels each before the shuffle, one after it.
GROUP = Group(
    (
        Member("0", "outputs", ((0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11))),
        Member("2", "inputs", ((0,), (1,), (2,))),
    )
)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(3, 5, 1))


def test_units_are_the_channels_of_each_member() -> None:
    first, second = GROUP.members
    assert list(touched([GROUP], {0: [2, 0]})) == [(first, [0, 1, 2, 3, 8, 9, 10, 11]), (second, [0, 2])]
    assert list(touched([GROUP, GROUP], {})) == []


def test_silent_channels_are_neither_written_nor_read() -> None:
    dense = network()
    silent = silenced(dense, [GROUP], {0: [1]})
    written, read = silent.get_submodule("0"), silent.get_submodule("2")
    assert isinstance(written, nn.Conv2d)
    assert isinstance(read, nn.Conv2d)
    assert written.bias is not None
    assert [written.weight[channel].any().item() for channel in range(12)] == [True] * 4 + [False] * 4 + [True] * 4
    assert [written.bias[channel].item() != 0 for channel in range(12)] == [True] * 4 + [False] * 4 + [True] * 4
    assert [read.weight[:, channel].any().item() for channel in range(3)] == [True, False, True]
    assert all(torch.equal(left, right) for left, right in zip(dense.parameters(), network().parameters(), strict=True))


def test_a_depthwise_convolution_is_silent_by_its_outputs() -> None:
    depthwise = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4))
    units = tuple((channel,) for channel in range(4))
    both = Group((Member("0", "inputs", units), Member("0", "outputs", units)))
    conv = silenced(depthwise, [both], {0: [3]}).get_submodule("0")
    assert isinstance(conv, nn.Conv2d)
    assert [conv.weight[channel].any().item() for channel in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("chosen", [[], [0], [2, 1], [1, 1, 1]])
def test_all_but_one_unit_may_go(chosen: list[int]) -> None:
    check_units(0, GROUP, chosen)


@pytest.mark.parametrize(
    ("chosen", "constraint"),
    [
        ([3], "group 4 has the units 0 to 2, got 3"),
        ([-1, 5], "has the units 0 to 2, got -1"),
        ([2, 0, 1], "keeps at least one unit; all 3 of group 4"),
    ],
)
def test_units_that_are_not_there_and_all_of_them_are_refused(chosen: list[int], constraint: str) -> None:
    with pytest.raises(InputError, match=constraint):
        check_units(4, GROUP, chosen)
