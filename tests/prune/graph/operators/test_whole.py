"""What is read whole and what is not: the picture, tensors of the network, operators of which nothing is known."""

import pytest
import torch

from prune.graph.operators.whole import Image, Opaque, Parameter


def first(found, kind):
    """Return the first node of a kind."""
    return next(node for node, operator in found.graph.operators.items() if isinstance(operator, kind))


def test_the_picture_is_whole_whatever_is_read_of_it(follow):
    found = follow(lambda v: v.x + v.y, tail=(1,))
    picture = first(found, Image)
    assert found.liveness.forward[picture].tolist() == found.liveness.backward[picture].tolist() == [True] * 3


def test_of_a_parameter_is_read_what_is_read_of_the_result(follow):
    found = follow(lambda v: v.x + v.net.bias, tail=(1, 3), head=(0,))
    parameter = first(found, Parameter)
    assert found.liveness.forward[parameter].all()
    assert found.liveness.backward[parameter].tolist() == [False, True, False, True]
    assert found.alive == (0, 1, 2, 3)


def test_a_parameter_with_a_value_per_pixel_is_read_whole(follow):
    found = follow(lambda v: v.x + v.net.picture, tail=(1,))
    assert found.liveness.backward[first(found, Opaque)].all()


def test_what_may_mix_everything_gives_and_reads_everything(follow):
    found = follow(lambda v: v.x.flip(1), tail=(1,), head=(0, 2))
    assert found.kind is Opaque
    assert found.alive == (0, 1, 2, 3)
    assert found.written("head") == (0, 2)
    assert follow(lambda v: v.x.flip(1), tail=(1,)).written("head") == (0, 1, 2, 3)


@pytest.mark.parametrize("operator", [lambda v: v.x.flip(1), lambda v: v.x + v.net.bias, lambda v: v.x + v.net.picture])
def test_what_is_left_computes_the_same(follow, operator):
    slim, silent = follow(operator, tail=(0, 2), head=(0, 3)).pictures()
    assert silent.any()
    assert torch.equal(slim, silent)
