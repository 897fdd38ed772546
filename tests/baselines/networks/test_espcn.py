"""ESPCN: its counts in RGB, the cheaper forms, and what is refused."""

import pytest
import torch
from torch import nn

from baselines import build
from sr.errors import InputError
from sr.measure.complexity import count


def test_counts_are_those_of_the_rgb_form():
    # 5x5 3 to 64, 3x3 64 to 32, 3x3 32 to 48: the weights that ETDS's authors published have as many.
    counts = count(build("espcn"))
    assert (counts.params, counts.convs) == (37_200, 3)
    assert counts.multi_adds == 256**2 * (25 * 3 * 64 + 9 * 64 * 32 + 9 * 32 * 48)
    assert counts.activations == 256**2 * (64 + 32 + 48)


def test_more_blocks_are_convolutions_of_the_middle_width():
    assert count(build("espcn", num_block=3)).params == 37_200 + 2 * (9 * 32 * 32 + 32)


def test_the_activation_is_one_that_is_known():
    kinds = {type(module) for module in build("espcn", activation="relu").modules()}
    assert nn.ReLU in kinds
    assert nn.Tanh not in kinds
    with pytest.raises(InputError, match="activation is one of tanh, relu, got 'gelu'"):
        build("espcn", activation="gelu")


@pytest.mark.numeric
def test_the_end_is_a_sigmoid_unless_it_is_linear():
    bounded, linear = build("espcn", num_feat=4).double(), build("espcn", num_feat=4, bounded=False).double()
    linear.load_state_dict(bounded.state_dict())
    lr = torch.rand(1, 3, 5, 6, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(torch.sigmoid(linear(lr)), bounded(lr), rtol=0, atol=1e-12)
