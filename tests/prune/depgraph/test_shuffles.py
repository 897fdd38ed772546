"""Channels before and after a pixel shuffle by r: r^2 for one."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prune.depgraph.shuffles import Shuffle, ShufflePruner, narrowed, widened


class Index(NamedTuple):
    """The two fields of the library's indices: a channel here, and the channel that it started from."""

    idx: int
    root_idx: int


def test_each_channel_after_came_from_r_squared_in_a_row() -> None:
    assert widened(4, [Index(2, 7)]) == [Index(8, 7), Index(9, 7), Index(10, 7), Index(11, 7)]


def test_several_channels_before_are_one_after_with_the_first_root() -> None:
    assert narrowed(4, [Index(8, 5), Index(9, 6), Index(3, 7)]) == [Index(2, 5), Index(0, 7)]


@given(st.sampled_from([4, 9, 16]), st.lists(st.integers(0, 50), unique=True))
def test_there_and_back_is_where_one_was(factor: int, channels: list[int]) -> None:
    indices = [Index(channel, 100 + channel) for channel in channels]
    before = widened(factor, indices)
    assert len({index.idx for index in before}) == factor * len(channels)
    assert narrowed(factor, before) == indices


@pytest.mark.parametrize("side", ["out", "in"])
def test_what_is_pruned_is_counted_on_both_sides(side: str) -> None:
    pruner, shuffle = ShufflePruner(), Shuffle(factor=4, channels=6)
    assert (pruner.get_in_channels(shuffle), pruner.get_out_channels(shuffle)) == (24, 6)
    prune = pruner.prune_out_channels if side == "out" else pruner.prune_in_channels
    assert prune(shuffle, [1, 4]) is shuffle
    assert (pruner.get_in_channels(shuffle), pruner.get_out_channels(shuffle)) == (16, 4)


def test_shuffles_alike_are_different_nodes() -> None:
    assert len({Shuffle(4, 6), Shuffle(4, 6)}) == 2
