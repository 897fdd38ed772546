"""Operators that overwrite what they read, in the network that is traced and in the slim one."""

import pytest
import torch.nn.functional as F
from torch import fx, nn

from prune.graph import trace
from prune.layers import Accumulate
from prune.overwriting import overwrites, settle_accumulation, settle_overwriting
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
    assert [step.kind for step in graph.steps.values()] == ["image", "conv", "filled", "each", "shuffle"]
    assert [graph.steps[node].operands for node in graph.steps][1:] == [(node,) for node in list(graph.steps)[:-1]]


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


def built(*calls):
    """Make a graph of calls of modules by (name, operands...); the first value is "lr"."""
    graph = fx.Graph()
    values = {"lr": graph.placeholder("lr")}
    for name, *operands in calls:
        values[name] = graph.call_module(name, tuple(values[operand] for operand in operands))
    graph.output(values[calls[-1][0]])
    return graph, values


def total():
    return Accumulate(4, [range(4), range(4)], 0, in_place=False)


def test_a_sum_overwrites_the_convolution_that_nobody_reads_later():
    modules = {"a": nn.Conv2d(3, 4, 1), "b": nn.Conv2d(4, 4, 1), "s": total()}
    settle_accumulation(built(("a", "lr"), ("b", "a"), ("s", "a", "b"))[0], modules)
    assert modules["s"].in_place
    assert modules["s"].base == 0


def test_a_sum_overwrites_nothing_that_is_read_later():
    modules = {"a": nn.Conv2d(3, 4, 1), "b": nn.Identity(), "s": total(), "c": nn.Conv2d(4, 4, 1), "t": total()}
    settle_accumulation(built(("a", "lr"), ("b", "a"), ("s", "a", "b"), ("c", "a"), ("t", "s", "c"))[0], modules)
    assert not modules["s"].in_place
    assert modules["t"].in_place


@pytest.mark.parametrize(("readers", "inplace"), [([("act", "a")], True), ([("act", "a"), ("s", "act", "a")], False)])
def test_an_activation_overwrites_only_what_it_alone_reads(readers, inplace):
    modules = {"a": nn.Conv2d(3, 4, 1), "act": nn.ReLU(inplace=True), "s": total()}
    graph, values = built(("a", "lr"), *readers)
    assert overwrites(values["act"], modules["act"])
    settle_overwriting(graph, modules)
    assert modules["act"].inplace is inplace
