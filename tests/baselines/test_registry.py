"""How a name and a config become a network."""

import pytest
from torch import nn

import baselines
from baselines import build, build_family
from sr.errors import InputError


def test_the_package_gives_what_the_registry_has():
    assert isinstance(baselines.build("ecbsr", num_feat=4), nn.Module)
    assert "ecbsr" in baselines.BASELINES
    with pytest.raises(AttributeError, match="no attribute 'RECIPES'"):
        baselines.RECIPES  # noqa: B018 - that it is not there is the point


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": "edsr"}, "one of msrresnet, .* got 'edsr'"),
        ({}, "has a name"),
        ({"name": "rfdn", "width": 3}, "num_feat, num_block, scale; got 'width'"),
        ({"name": "rfdn", "num_feat": "50"}, "num_feat must be of type int, got '50'"),
        ({"name": "rfdn", "num_feat": 0}, "at least 1, got 0"),
        ({"name": "gcsr", "num_feat": 30}, "multiple of 4, got 30"),
        ({"name": "isrresdnet", "num_block": -1}, "num_block must be at least 0, got -1"),
        ({"name": "larvanet", "legs": 1}, "legs must be of type bool, got 1"),
    ],
)
def test_bad_descriptions_are_refused(config, message):
    with pytest.raises(InputError, match=message):
        build_family(config)


def test_a_default_of_nothing_may_be_said():
    assert len(build("isrresdnet", num_feat=4, num_block=0).stages[0].blocks) == 0
    assert len(build("isrresdnet", num_feat=4, num_block=2).stages[0].blocks) == 2


def test_a_description_sets_the_constructor():
    assert build_family({"name": "rlfn", "num_feat": 20}).head.out_channels == 20
