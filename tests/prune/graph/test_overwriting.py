"""Operators that overwrite what they read, in the network that is traced."""

import pytest
import torch.nn.functional as F
from torch import nn

from prune.graph.operators.channelwise import Channelwise, ZeroFilling
from prune.graph.operators.convolutions import Conv
from prune.graph.operators.rearranging import Shuffle
from prune.graph.operators.whole import Image
from prune.graph.tracing import trace
from sr.errors import InputError


class ReadsOverwritten(nn.Module):
    """Reads a tensor under its old name after it was overwritten."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.act, self.up = nn.Conv2d(3, 48, 1), nn.ReLU(inplace=True), nn.PixelShuffle(4)

    def forward(self, lr):
        x = self.head(lr)
        x.add_(1)
        self.act(x)
        return self.up(x)


def test_who_reads_an_overwritten_value_reads_what_overwrote_it():
    graph = trace(ReadsOverwritten())
    kinds = [Image, Conv, ZeroFilling, Channelwise, Shuffle]
    assert [type(operator) for operator in graph.operators.values()] == kinds
    assert [graph.operators[node].operands for node in graph.operators][1:] == [
        (node,) for node in list(graph.operators)[:-1]
    ]


class PartOverwritten(nn.Module):
    """Overwrites some channels of a tensor and reads them all."""

    def forward(self, lr):
        lr = lr * 1
        lr[:, :1].add_(1)
        return F.interpolate(lr, scale_factor=4)


def test_a_part_that_is_overwritten_while_the_whole_is_read_is_refused_in_one_line():
    with pytest.raises(InputError, match="overwrites no part of a value that it still reads") as caught:
        trace(PartOverwritten())
    assert "\n" not in str(caught.value)
