"""ECBSR: the counts of the official code on three colours, and what it adds to."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import build
from sr.measure.complexity import count


@pytest.mark.parametrize(
    ("num_block", "num_feat", "params", "flops_g", "activations_m", "convs"),
    [(4, 16, 16_768, 1.09, 8.39, 6), (10, 32, 107_600, 7.03, 26.21, 12), (16, 64, 621_424, 40.65, 74.45, 18)],
)
def test_counts_are_the_official_ones(num_block, num_feat, params, flops_g, activations_m, convs):
    counts = count(build("ecbsr", num_block=num_block, num_feat=num_feat))
    assert (counts.params, counts.convs) == (params, convs)
    assert counts.challenge_flops / 1e9 == pytest.approx(flops_g, abs=5.1e-3)
    assert counts.activations / 1e6 == pytest.approx(activations_m, abs=5.1e-3)


def test_the_training_form_is_deployed_at_the_same_cost():
    assert count(build("ecbsr", branched=True)) == count(build("ecbsr"))


@pytest.mark.numeric
def test_without_a_tail_it_repeats_pixels():
    network = build("ecbsr", num_feat=4, num_block=1).eval()
    nn.init.zeros_(network.tail.weight)
    nn.init.zeros_(network.tail.bias)
    lr = torch.rand(2, 3, 5, 6)
    with torch.inference_mode():
        assert torch.equal(network(lr), F.interpolate(lr, scale_factor=4, mode="nearest"))
