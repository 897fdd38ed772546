"""SPANV2: what it starts from, and its training form."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import build
from search_spaces.wide_reparam import Conv3XC
from sr.measure.complexity import count


@pytest.mark.numeric
def test_the_near_convolution_starts_as_the_nearest_neighbour():
    near = build("spanv2").near
    lr = torch.rand(1, 3, 5, 6)
    with torch.no_grad():
        assert torch.equal(F.pixel_shuffle(near(lr), 4), F.interpolate(lr, scale_factor=4, mode="nearest"))


def test_the_training_form_has_no_biases_in_its_branches():
    network = build("spanv2", branched=True)
    branched = [module for module in network.modules() if isinstance(module, Conv3XC)]
    assert len(branched) == 3 * 5
    assert all(conv.bias is None for each in branched for conv in each.modules() if isinstance(conv, nn.Conv2d))
    assert count(network) == count(build("spanv2"))
