"""LarvaNet: what its exits add to."""

import torch

from baselines import build
from sr.complexity import count
from sr.deployment import deploy


def residuals(network, lr):
    """Return what each leg and the tail add, in [0, 1]."""
    features = network.features(lr)
    added = [leg(feature) for leg, feature in zip(network.legs, features, strict=True)]
    return [each / 255 for each in (*added, network.tail(network.merge(torch.cat(features, dim=1))))]


def test_by_default_every_exit_adds_to_the_bicubic_picture():
    network = build("larvanet", num_feat=8, num_body=3, num_block=1, legs=True).double().eval()
    lr = torch.rand(1, 3, 6, 7, dtype=torch.float64)
    base = torch.nn.functional.interpolate(lr, scale_factor=4, mode="bicubic")
    with torch.inference_mode():
        for exit_, residual in zip(network.exits(lr), residuals(network, lr), strict=True):
            torch.testing.assert_close(exit_, base + residual)


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
