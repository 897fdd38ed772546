"""Where a slim network overwrites what it reads."""

import pytest
from torch import fx, nn

from prune.graph.overwriting import overwrites
from prune.rewrite.layers import Accumulate
from prune.rewrite.overwriting import accumulate_in_place, forbid_shared_overwriting


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
    accumulate_in_place(built(("a", "lr"), ("b", "a"), ("s", "a", "b"))[0], modules)
    assert modules["s"].in_place
    assert modules["s"].base == 0


def test_a_sum_overwrites_nothing_that_is_read_later():
    modules = {"a": nn.Conv2d(3, 4, 1), "b": nn.Identity(), "s": total(), "c": nn.Conv2d(4, 4, 1), "t": total()}
    accumulate_in_place(built(("a", "lr"), ("b", "a"), ("s", "a", "b"), ("c", "a"), ("t", "s", "c"))[0], modules)
    assert not modules["s"].in_place
    assert modules["t"].in_place


@pytest.mark.parametrize(("readers", "inplace"), [([("act", "a")], True), ([("act", "a"), ("s", "act", "a")], False)])
def test_an_activation_overwrites_only_what_it_alone_reads(readers, inplace):
    modules = {"a": nn.Conv2d(3, 4, 1), "act": nn.ReLU(inplace=True), "s": total()}
    graph, values = built(("a", "lr"), *readers)
    assert overwrites(values["act"], modules["act"])
    forbid_shared_overwriting(graph, modules)
    assert modules["act"].inplace is inplace
