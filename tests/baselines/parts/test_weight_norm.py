"""Weight norm: what the two parameters stand for, and how they fold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines.parts.weight_norm import WeightNormConv, lengths
from sr.deployment import deploy


@pytest.mark.numeric
@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3, 5]))
def test_kernels_are_as_long_as_weight_g_and_fold(in_channels, out_channels, kernel_size):
    conv = WeightNormConv(in_channels, out_channels, kernel_size).double()
    with torch.no_grad():
        conv.weight_g.uniform_(0.5, 2)
        torch.testing.assert_close(lengths(conv.kernel()), conv.weight_g)
        x = torch.randn(2, in_channels, 4, 5, dtype=torch.float64)
        folded = deploy(conv)
        assert type(folded) is nn.Conv2d
        assert conv(x).shape == (2, out_channels, 4, 5)
        torch.testing.assert_close(folded(x), conv(x), rtol=0, atol=1e-12)


@pytest.mark.numeric
def test_it_starts_as_the_plain_convolution_and_is_pytorchs_own():
    ours = WeightNormConv(3, 4, 3).double()
    theirs = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3, padding=1).double())
    with torch.no_grad():
        ours.weight_g.mul_(2)
        theirs.parametrizations.weight.original0.copy_(ours.weight_g)
        theirs.parametrizations.weight.original1.copy_(ours.weight_v)
        theirs.bias.copy_(ours.bias)
        x = torch.randn(1, 3, 5, 6, dtype=torch.float64)
        torch.testing.assert_close(ours(x), theirs(x))
        torch.testing.assert_close(ours.kernel(), 2 * ours.weight_v)


def test_it_counts_as_a_convolution_with_one_more_parameter_per_channel():
    conv = WeightNormConv(3, 4, 3)
    assert isinstance(conv, nn.Conv2d)
    assert set(conv.state_dict()) == {"weight_g", "weight_v", "bias"}
    assert sum(parameter.numel() for parameter in conv.parameters()) == 4 * 3 * 9 + 4 + 4
