"""One operator between a few channels, what a plan leaves around it, and whether the slim network is the same."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import fx, nn

from prune.graph.liveness import ChannelLiveness, channel_liveness
from prune.graph.operators.operator import Operator
from prune.graph.plan import Kept, Plan
from prune.graph.tracing import EXAMPLE, Graph, trace
from prune.rewrite.surgery import slim

HEADS = {"head": 4, "other": 4, "one": 1}


class Between(nn.Module):
    """Heads of 4, 4 and 1 channels, an operator on what they give, and a tail that reads its `width` channels."""

    def __init__(self, operator, width: int) -> None:
        super().__init__()
        self.head, self.other, self.one = (nn.Conv2d(3, channels, 1) for channels in HEADS.values())
        self.bias, self.picture = nn.Parameter(torch.rand(1, 4, 1, 1)), nn.Parameter(torch.rand(1, 4, *EXAMPLE[2:]))
        self.tail, self.up = nn.Conv2d(width, 48, 1), nn.PixelShuffle(4)
        self.operator = operator

    def forward(self, lr):
        values = SimpleNamespace(net=self, x=self.head(lr), y=self.other(lr), one=self.one(lr))
        return self.up(self.tail(self.operator(values)))


@dataclass(frozen=True)
class Followed:
    """A plan that was followed through such a network."""

    graph: Graph
    kept: Mapping[str, Kept]
    liveness: ChannelLiveness

    @property
    def node(self) -> fx.Node:
        """The operator's node, which the tail reads."""
        (found,) = self.graph.convs()["tail"].all_input_nodes
        return found

    @property
    def kind(self) -> type[Operator]:
        return type(self.graph.operators[self.node])

    @property
    def alive(self) -> tuple[int, ...]:
        """The channels of the operator that may be other than zero."""
        return tuple(np.flatnonzero(self.liveness.forward[self.node]).tolist())

    def written(self, head: str) -> tuple[int, ...]:
        """Return the channels that are left of a head: kept and read by somebody."""
        return self.liveness.kept[head].outputs

    def pictures(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what the slim network gives and what the dense one gives with the dropped channels silent.

        All are whole numbers in float64, and no sum comes near 2^53: both are exact whatever the kernels.
        """
        graph = copy.deepcopy(self.graph.module).double()
        for tensor in graph.parameters():
            tensor.data = torch.randint(-3, 4, tensor.shape).double()
        silent = copy.deepcopy(graph)
        for name, kept in self.kept.items():
            conv = silent.get_submodule(name)
            gone_in = sorted(set(range(conv.in_channels)) - set(kept.inputs))
            gone_out = sorted(set(range(conv.out_channels)) - set(kept.outputs))
            conv.weight.data[:, gone_in] = 0
            conv.weight.data[gone_out] = 0
            conv.bias.data[gone_out] = 0
        self.graph.module.double().load_state_dict(graph.state_dict())
        lr = torch.randint(0, 256, EXAMPLE).double()
        with torch.no_grad():
            return slim(self.graph, Plan(self.kept, {}, {}))(lr), silent(lr)


@pytest.fixture(scope="session")
def follow() -> Callable[..., Followed]:
    """Return what follows a plan: the outputs that heads keep, by their names, and the inputs that the tail keeps."""

    def followed(operator, width: int = 4, tail: tuple[int, ...] | None = None, **heads: tuple[int, ...]) -> Followed:
        graph = trace(Between(operator, width))
        kept = {name: Kept((0, 1, 2), outputs) for name, outputs in heads.items()}
        if tail is not None:
            kept["tail"] = Kept(tail, tuple(range(48)))
        return Followed(graph, kept, channel_liveness(graph, kept))

    return followed
