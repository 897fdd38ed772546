"""The size that weights are of is found by their shapes."""

import pytest

from baselines.weights.sizes import closest_config, fitting_scales, same, shapes_of

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
    ("rfdn", {"num_feat": 20, "scale": 2}),
    ("msrresnet", {"scale": 3}),
    ("bicubic_pp", {"scale": 3}),
    ("rt4ksr", {"num_feat": 32, "scale": 2}),
    ("spanv2", {"num_feat": 24, "scale": 2}),
    ("abpn", {"num_feat": 40, "num_block": 6, "scale": 3}),
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


@pytest.mark.parametrize(
    ("name", "config", "scales"),
    [
        ("rfdn", {}, (3,)),
        ("pan", {}, (2, 3)),
        ("fsrcnn", {"transposed": True}, (2, 3, 4)),
        ("fsrcnn", {}, (3,)),
    ],
)
def test_shapes_fit_one_scale_but_where_what_enlarges_has_no_tensors_of_its_own(name, config, scales):
    assert fitting_scales(name, config, shapes_of(name, {**config, "scale": 3})) == scales


def test_a_scale_that_is_known_stays():
    shapes = shapes_of("fsrcnn", {"transposed": True, "num_feat": 32})
    config = {"transposed": True, "num_feat": 32, "scale": 2}
    assert closest_config("fsrcnn", shapes, {"transposed": True}, 2) == (config, 0)
