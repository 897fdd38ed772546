"""What is asked of a node whose kind is looked for."""

import torch
import torch.nn.functional as F

from prune.graph.operators.call import Call, name_of


def call_of(found, node=None):
    """Return the call of the operator in the middle, or of another node."""
    graph, node = found.graph, node or found.node
    called = [str(each.target) for each in graph.module.graph.nodes if each.op == "call_module"]
    return Call(node, graph.module, graph.operators, 4, called)


def names(nodes):
    return [str(node.target) for node in nodes]


def test_operands_are_the_arguments_with_channels(follow):
    assert names(call_of(follow(lambda v: v.x + v.y)).operands) == ["head", "other"]
    assert names(call_of(follow(lambda v: v.x * v.x.shape[2])).operands) == ["head"]


def test_the_operand_is_the_first_argument_where_it_alone_has_channels(follow):
    assert call_of(follow(lambda v: F.relu(v.x))).operand().target == "head"
    assert call_of(follow(lambda v: v.x * v.x.shape[2])).operand().target == "head"
    assert call_of(follow(lambda v: v.x + v.y)).operand() is None
    assert call_of(follow(lambda v: 2 - v.x)).operand() is None


def test_a_module_that_is_called_twice_is_shared(follow):
    once, twice = follow(lambda v: v.x + v.y), follow(lambda v: v.net.head(v.x[:, :3]) + v.y)
    assert not call_of(once, once.graph.convs()["head"]).is_shared_module()
    shared = [node for node in twice.graph.module.graph.nodes if node.target == "head"]
    assert len(shared) == 2
    assert all(call_of(twice, node).is_shared_module() for node in shared)


def test_numbers_are_plain_or_computed_from_sizes(follow):
    call = call_of(follow(lambda v: v.x * v.x.shape[2]))
    head, height = call.node.args
    assert call.is_number(height)
    assert call.is_number(2)
    assert call.is_number(0.5)
    assert not call.is_number(head)
    assert not call.is_number("2")
    assert not call.is_number(None)


def test_functions_and_methods_have_their_names(follow):
    assert name_of(follow(lambda v: v.x + v.y).node) == "add"
    assert name_of(follow(lambda v: torch.maximum(v.x, v.y)).node) == "maximum"
    assert name_of(follow(lambda v: v.x.flip(1)).node) == "flip"
