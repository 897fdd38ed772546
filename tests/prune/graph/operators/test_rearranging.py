"""Where channels are after a concatenation, a slice and a pixel shuffle, worked out by hand."""

import pytest
import torch
import torch.nn.functional as F

from prune.graph.operators.rearranging import Concatenation, Shuffle, Slice


def joined(v):
    return torch.cat([v.x, v.y], 1)


def middle(v):
    return v.x[:, 1:3]


def second_part(v):
    return torch.split(v.x, [1, 3], dim=1)[1]


def shuffled(v):
    return F.pixel_shuffle(torch.cat([v.x, v.y], 1), 2)


def test_a_concatenation_lines_its_parts_up(follow):
    found = follow(joined, 8, head=(0,), other=(3,))
    assert found.kind is Concatenation
    assert found.alive == (0, 7)


def test_of_each_part_is_read_what_is_read_of_it(follow):
    found = follow(joined, 8, tail=(1, 4, 6))
    assert (found.written("head"), found.written("other")) == ((1,), (0, 2))


@pytest.mark.parametrize(("operator", "width"), [(middle, 2), (second_part, 3)])
def test_a_slice_counts_its_channels_from_its_start(follow, operator, width):
    found = follow(operator, width, head=(0, 2))
    assert found.kind is Slice
    assert found.alive == (1,)
    assert follow(operator, width, tail=(0,)).written("head") == (1,)


def test_a_channel_behind_a_shuffle_is_zero_where_all_its_subpixels_are(follow):
    found = follow(shuffled, 2, head=(), other=(2,))
    assert found.kind is Shuffle
    assert found.alive == (1,)


def test_all_subpixels_of_a_channel_are_read(follow):
    found = follow(shuffled, 2, tail=(1,))
    assert (found.written("head"), found.written("other")) == ((), (0, 1, 2, 3))


def test_a_shuffle_that_is_a_module_has_its_factor(follow):
    graph = follow(joined, 8).graph
    last = graph.operators[graph.picture]
    assert isinstance(last, Shuffle)
    assert (last.factor, last.channels) == (4, 3)


@pytest.mark.parametrize(
    ("operator", "width", "tail"),
    [
        (joined, 8, (1, 2, 4, 7)),
        (middle, 2, (0,)),
        (second_part, 3, (0, 1)),
        (shuffled, 2, (1,)),
        (shuffled, 2, (0, 1)),
    ],
)
def test_what_is_left_computes_the_same(follow, operator, width, tail):
    slim, silent = follow(operator, width, tail, head=(0, 1), other=(0, 3)).pictures()
    assert silent.any()
    assert torch.equal(slim, silent)
