"""Which kind of operator each call of torch is."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from prune.graph.operators.channelwise import Channelwise, ZeroFilling
from prune.graph.operators.pairwise import Pairwise, Product, Sum
from prune.graph.operators.rearranging import Concatenation, Shuffle, Slice
from prune.graph.operators.whole import Opaque
from prune.graph.tracing import EXAMPLE, trace


class One(nn.Module):
    """One operator between a head and the picture."""

    def __init__(self, operator) -> None:
        super().__init__()
        self.head, self.other, self.one = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1), nn.Conv2d(3, 1, 1)
        self.slopes, self.bias = nn.PReLU(4), nn.Parameter(torch.rand(1, 4, 1, 1))
        self.tail, self.up = nn.LazyConv2d(48, 1), nn.PixelShuffle(4)
        self.operator = operator

    def forward(self, lr):
        values = SimpleNamespace(net=self, x=self.head(lr), y=self.other(lr), one=self.one(lr))
        return self.up(self.tail(self.operator(values)))


OPERATORS = {
    Sum: [lambda v: v.x + v.y, lambda v: v.x.add_(v.y), lambda v: torch.add(v.x, v.y)],
    Pairwise: [lambda v: v.x - v.y, lambda v: torch.maximum(v.x, v.y), lambda v: v.x + v.net.bias],
    Product: [lambda v: v.x * v.y, lambda v: v.x * v.one, lambda v: v.x * v.net.bias],
    Channelwise: [
        lambda v: F.relu(v.x),
        lambda v: 2 * v.x,
        lambda v: v.x / 2,
        lambda v: v.net.slopes(v.x),
        lambda v: v.x.mean((2, 3), keepdim=True) * 1,
        lambda v: v.x[:, :, 1:, :-1],
        lambda v: F.pad(v.x, (1, 1)),
        lambda v: F.interpolate(v.x, size=(v.x.shape[2], v.x.shape[3])),
    ],
    ZeroFilling: [lambda v: v.x + 1, lambda v: 1 - v.x, lambda v: torch.sigmoid(v.x)],
    Slice: [lambda v: v.x[:, 1:3], lambda v: torch.split(v.x, [1, 3], dim=1)[1]],
    Concatenation: [lambda v: torch.cat([v.x, v.y], 1), lambda v: torch.cat((v.x, v.one), dim=1)],
    Shuffle: [lambda v: F.pixel_shuffle(v.x, 2)],
    Opaque: [
        lambda v: v.x.softmax(1),
        lambda v: torch.cat([v.x, v.y], 2),
        lambda v: v.x.mean(1, keepdim=True),
        lambda v: 1 / (v.x + 2),
        lambda v: torch.add(v.x, v.y, alpha=2),
        lambda v: F.pad(v.x, (1, 1), value=1.0),
        lambda v: v.x.flip(1),
        lambda v: v.x[:, ::2],
        lambda v: v.net.slopes(v.net.slopes(v.x)),
    ],
}


@pytest.mark.parametrize(("kind", "operator"), [(kind, one) for kind, several in OPERATORS.items() for one in several])
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_each_operator_has_its_kind(kind, operator):
    network = One(operator)
    network(torch.rand(EXAMPLE))
    graph = trace(network)
    before = graph.convs()["tail"].args[0]
    assert isinstance(before, torch.fx.Node)
    assert type(graph.operators[before]) is kind


def test_a_part_is_taken_from_where_it_starts():
    def parts(v):
        first, second = v.x.split([1, 3], dim=1)
        return torch.cat([first, second, v.y[:, -2:]], 1)

    network = One(parts)
    network(torch.rand(EXAMPLE))
    found = [operator for operator in trace(network).operators.values() if isinstance(operator, Slice)]
    assert [(each.start, each.channels) for each in found] == [(0, 1), (1, 3), (2, 2)]


def test_a_convolution_that_is_called_twice_keeps_everything():
    network = One(lambda v: v.x + v.net.head(F.pad(v.net.one(v.y[:, :3]).expand(-1, 3, -1, -1), (0, 0))))
    network(torch.rand(EXAMPLE))
    assert "head" not in trace(network).convs()
