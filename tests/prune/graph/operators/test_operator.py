"""What every kind of operator answers for: channels of its own number, and needs of its operands alone."""

import functools

import numpy as np
import pytest

from baselines import build
from prune.graph.operators.operator import Traits, Walk
from prune.graph.tracing import Graph, trace
from search_spaces.architecture import Architecture, Block
from search_spaces.network import build as build_searched

MIXED = tuple(Block(kind) for kind in ("inverted_x3", "mobilenetv3", "idle", "multiscale_idle"))


@functools.cache
def traced(name: str) -> Graph:
    if name == "searched":
        return trace(build_searched(Architecture(8, MIXED, "one_step", "bilinear", "concat")))
    return trace(build(name, num_feat=8, num_block=2))


def walked_forward(graph: Graph, seed: int) -> Walk:
    """Follow a plan that keeps half of all channels, drawn."""
    drawn, walk = np.random.default_rng(seed), Walk(graph.operators)
    for node in graph.convs().values():
        conv = graph.conv(node)
        walk.reads[node], walk.writes[node] = (
            drawn.random(conv.in_channels) < 0.5,
            drawn.random(conv.out_channels) < 0.5,
        )
    for node, operator in graph.operators.items():
        walk.forward[node] = operator.forward(walk, node)
        walk.backward[node] = drawn.random(operator.channels) < 0.5
    return walk


each_network = pytest.mark.parametrize("name", ["rfdn", "imdn", "bsrn", "searched"])


@each_network
def test_forward_tells_of_each_of_its_channels(name):
    graph = traced(name)
    walk = walked_forward(graph, 0)
    for node, operator in graph.operators.items():
        assert walk.forward[node].shape == (operator.channels,)
        assert walk.forward[node].dtype == bool


@each_network
def test_backward_only_ever_asks_for_more_of_its_operands(name):
    graph = traced(name)
    for node, operator in graph.operators.items():
        walk = walked_forward(graph, 1)
        before = {each: channels.copy() for each, channels in walk.backward.items()}
        operator.backward(walk, node)
        for each, channels in walk.backward.items():
            assert (channels >= before[each]).all()
            assert each in (node, *operator.operands) or (channels == before[each]).all()


@each_network
def test_kinds_are_frozen_and_have_traits(name):
    for operator in traced(name).operators.values():
        assert isinstance(operator.traits, Traits)
        with pytest.raises(AttributeError):
            operator.channels = 1
