"""SPAN: the counts of its widths, deployed and in training."""

import pytest

from baselines import build
from sr.measure.complexity import count


def params(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("num_feat", "expected"), [(26, 130_828), (28, 150_688), (48, 426_288), (52, 498_208)])
def test_every_published_width_has_its_parameters(num_feat, expected):
    assert count(build("span", num_feat=num_feat)).params == expected


# The official training form holds each folded kernel beside its branches.
@pytest.mark.parametrize(("num_feat", "official"), [(48, 2_236_728), (52, 2_621_964)])
def test_the_training_form_has_the_official_branches(num_feat, official):
    network = build("span", num_feat=num_feat, branched=True)
    kernels = 19 * (num_feat * num_feat * 9 + num_feat) + 3 * num_feat * 9 + num_feat
    assert params(network) + kernels == official
    assert count(network) == count(build("span", num_feat=num_feat))
