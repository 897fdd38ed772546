"""Who reads no more of a tensor than its size."""

import pytest
import torch.nn.functional as F
from torch import fx, nn

from prune.graph.sizes import from_height, reads_size, shape_of
from prune.graph.tracing import trace


class Resized(nn.Module):
    """Reads a size of the tensor behind the head."""

    def __init__(self, size) -> None:
        super().__init__()
        self.head, self.tail, self.up = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 48, 1), nn.PixelShuffle(4)
        self.size = size

    def forward(self, lr):
        x = self.head(lr)
        return self.up(self.tail(F.interpolate(x, size=self.size(x))))


def shape_node(size) -> fx.Node:
    return next(node for node in trace(Resized(size)).module.graph.nodes if node.target is getattr)


@pytest.mark.parametrize("size", [lambda x: x.shape[2:], lambda x: x.shape[-2:]])
def test_height_and_width_are_a_size(size):
    assert reads_size(shape_node(size))


def test_the_number_of_channels_is_more_than_a_size():
    assert not reads_size(shape_node(lambda x: (x.shape[1] * 4, x.shape[1] * 4)))


def test_an_end_of_a_shape_begins_with_the_height():
    assert from_height(slice(2, None))
    assert from_height(slice(-2, None))
    assert not from_height(slice(1, None))
    assert not from_height(2)


def test_a_shape_is_that_of_the_traced_value_and_empty_where_there_is_none():
    graph = trace(Resized(lambda x: x.shape[2:]))
    assert shape_of(graph.convs()["head"]) == (1, 4, 32, 48)
    assert shape_of(shape_node(lambda x: x.shape[2:])) == ()
