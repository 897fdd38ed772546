"""The size that weights are of is found by their shapes."""

import pytest

from baselines.weights.sizes import closest_config, same, shapes_of

SIZES = [
    ("rfdn", {"num_feat": 52}),
    ("rfdn", {"num_feat": 12, "num_block": 2}),
    ("imdn", {"num_feat": 32, "num_block": 3}),
    ("bsrn", {"num_feat": 32, "num_block": 5}),
    ("safmn", {"num_feat": 72, "num_block": 16}),
    ("ecbsr", {"num_feat": 40, "num_block": 6}),
    ("efdn", {"num_feat": 42}),
    ("spanv2", {"num_feat": 24, "num_block": 3}),
    ("fmen", {"num_feat": 32, "narrow_feat": 8, "num_block": 2}),
    ("etds", {"num_feat": 16, "num_block": 5, "clip_conv": True}),
]


@pytest.mark.parametrize(("name", "config"), SIZES)
def test_the_size_is_found(name, config):
    assert closest_config(name, shapes_of(name, config), {}) == (config, 0)


def test_the_default_size_needs_no_config():
    assert closest_config("rfdn", shapes_of("rfdn", {}), {}) == ({}, 0)


def test_of_what_does_not_fit_the_closest_is_said_with_how_much():
    shapes = shapes_of("rfdn", {"num_feat": 52})
    config, misfits = closest_config("rfdn", {**shapes, "extra.weight": (3,)}, {})
    assert (config, misfits) == ({"num_feat": 52}, 1)


def test_sides_of_one_do_not_count():
    assert same((36,), (36, 1, 1))
    assert same((1, 3), (3,))
    assert not same((3, 4), (4, 3))
