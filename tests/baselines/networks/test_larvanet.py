"""LarvaNet: what its exits add to."""

import pytest
import torch
from torch import nn

from baselines import build
from baselines.challenge_table.published import row
from sr.deployment import deploy
from sr.measure.complexity import count


def residuals(network, lr):
    """Return what each leg and the tail add, in [0, 1]."""
    features = network.features(lr)
    added = [leg(feature) for leg, feature in zip(network.legs, features, strict=True)]
    return [each / 255 for each in (*added, network.tail(network.merge(torch.cat(features, dim=1))))]


@pytest.mark.numeric
def test_by_default_every_exit_adds_to_the_bicubic_picture():
    network = build("larvanet", num_feat=8, num_body=3, num_block=1, legs=True).double().eval()
    lr = torch.rand(1, 3, 6, 7, dtype=torch.float64)
    base = torch.nn.functional.interpolate(lr, scale_factor=4, mode="bicubic")
    with torch.inference_mode():
        for exit_, residual in zip(network.exits(lr), residuals(network, lr), strict=True):
            torch.testing.assert_close(exit_, base + residual)


@pytest.mark.numeric
def test_cascaded_every_exit_adds_to_the_one_before():
    network = build("larvanet", num_feat=8, num_body=3, num_block=1, cascaded=True).double().eval()
    lr = torch.rand(1, 3, 6, 7, dtype=torch.float64)
    picture = torch.nn.functional.interpolate(lr, scale_factor=4, mode="bicubic")
    with torch.inference_mode():
        exits = network.exits(lr)
        for exit_, residual in zip(exits, residuals(network, lr), strict=True):
            picture = picture + residual
            torch.testing.assert_close(exit_, picture)
        assert torch.equal(network(lr), exits[-1])
        assert torch.equal(deploy(network)(lr), exits[-1])


def test_cascaded_the_legs_run_in_the_deployed_form():
    with torch.device("meta"):
        plain, cascaded = count(build("larvanet")), count(build("larvanet", cascaded=True))
    assert (plain.convs, cascaded.convs) == (60, 68)
    assert (plain.params, cascaded.params) == (1_289_808, 1_456_080)
    with torch.device("meta"):
        assert count(build("larvanet", legs=True, cascaded=True)) == cascaded


@pytest.mark.numeric
def test_exits_end_with_what_forward_returns():
    network = build("larvanet", num_block=1, legs=True).eval()
    lr = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        exits = network.exits(lr)
        assert len(exits) == 5
        assert torch.equal(exits[-1], network(lr))
        assert len(build("larvanet", num_block=1).exits(lr)) == 1


def test_it_has_the_published_convolutions_with_its_legs():
    network = build("larvanet", legs=True)
    assert sum(isinstance(module, nn.Conv2d) for module in network.modules()) == row("LarvaNet").convs
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_456_080
