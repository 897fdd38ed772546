"""What sums, products and differences leave and read, worked out by hand."""

import pytest
import torch

from prune.graph.operators.pairwise import Pairwise, Product, Sum

OF_TWO = {
    "sum": (Sum, lambda v: v.x + v.y),
    "difference": (Pairwise, lambda v: v.x - v.y),
    "maximum": (Pairwise, lambda v: torch.maximum(v.x, v.y)),
    "product": (Product, lambda v: v.x * v.y),
}
of_two = pytest.mark.parametrize(("kind", "operator"), OF_TWO.values(), ids=OF_TWO)


@of_two
def test_two_partners_are_zero_where_both_are_and_a_product_where_one_is(follow, kind, operator):
    found = follow(operator, head=(0, 1), other=(1, 2))
    assert found.kind is kind
    assert found.alive == ((1,) if kind is Product else (0, 1, 2))


@of_two
def test_of_both_partners_is_read_what_is_read_of_the_result(follow, kind, operator):
    found = follow(operator, tail=(0, 3))
    assert found.kind is kind
    assert found.written("head") == found.written("other") == (0, 3)


def test_what_a_product_makes_zero_is_not_read_of_either_partner(follow):
    found = follow(lambda v: v.x * v.y, head=(0, 1), other=(1, 2))
    assert found.written("head") == found.written("other") == found.liveness.kept["tail"].inputs == (1,)


def test_one_channel_stands_for_all_in_a_difference_and_not_in_a_product(follow):
    assert follow(lambda v: v.x - v.one, head=(2,)).alive == (0, 1, 2, 3)
    assert follow(lambda v: v.x * v.one, head=(2,)).alive == (2,)


def test_one_channel_for_all_is_read_for_any(follow):
    found = follow(lambda v: v.x * v.one, tail=(3,))
    assert (found.written("head"), found.written("one")) == ((3,), (0,))


@pytest.mark.parametrize(
    "operator",
    [
        *(operator for _, operator in OF_TWO.values()),
        lambda v: v.x + v.y + v.x,
        lambda v: v.x - v.one,
        lambda v: v.x * v.one,
        lambda v: v.x * v.net.bias,
    ],
    ids=[*OF_TWO, "sum of three", "difference with one", "product with one", "product with a parameter"],
)
def test_what_is_left_computes_the_same(follow, operator):
    slim, silent = follow(operator, tail=(0, 1, 3), head=(0, 1), other=(1, 2)).pictures()
    assert silent.any()
    assert torch.equal(slim, silent)
