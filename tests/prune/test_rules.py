"""The rule of each operator."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from prune.graph import EXAMPLE, trace


class Rules(nn.Module):
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
    "sum": [lambda v: v.x + v.y, lambda v: v.x.add_(v.y), lambda v: torch.add(v.x, v.y)],
    "meet": [lambda v: v.x - v.y, lambda v: torch.maximum(v.x, v.y), lambda v: v.x + v.net.bias],
    "product": [lambda v: v.x * v.y, lambda v: v.x * v.one, lambda v: v.x * v.net.bias],
    "each": [
        lambda v: F.relu(v.x),
        lambda v: 2 * v.x,
        lambda v: v.x / 2,
        lambda v: v.net.slopes(v.x),
        lambda v: v.x.mean((2, 3), keepdim=True) * 1,
        lambda v: v.x[:, :, 1:, :-1],
        lambda v: F.pad(v.x, (1, 1)),
        lambda v: F.interpolate(v.x, size=(v.x.shape[2], v.x.shape[3])),
    ],
    "filled": [lambda v: v.x + 1, lambda v: 1 - v.x, lambda v: torch.sigmoid(v.x)],
    "slice": [lambda v: v.x[:, 1:3], lambda v: torch.split(v.x, [1, 3], dim=1)[1]],
    "cat": [lambda v: torch.cat([v.x, v.y], 1), lambda v: torch.cat((v.x, v.one), dim=1)],
    "shuffle": [lambda v: F.pixel_shuffle(v.x, 2)],
    "opaque": [
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
def test_each_operator_has_its_rule(kind, operator):
    network = Rules(operator)
    network(torch.rand(EXAMPLE))
    graph = trace(network)
    before = graph.convs()["tail"].args[0]
    assert isinstance(before, torch.fx.Node)
    assert graph.steps[before].kind == kind


def test_a_part_is_taken_from_where_it_starts():
    def parts(v):
        first, second = v.x.split([1, 3], dim=1)
        return torch.cat([first, second, v.y[:, -2:]], 1)

    network = Rules(parts)
    network(torch.rand(EXAMPLE))
    found = [graph_step for graph_step in trace(network).steps.values() if graph_step.kind == "slice"]
    assert [(step.start, step.channels) for step in found] == [(0, 1), (1, 3), (2, 2)]


def test_a_convolution_that_is_called_twice_keeps_everything():
    network = Rules(lambda v: v.x + v.net.head(F.pad(v.net.one(v.y[:, :3]).expand(-1, 3, -1, -1), (0, 0))))
    network(torch.rand(EXAMPLE))
    assert "head" not in trace(network).convs()
