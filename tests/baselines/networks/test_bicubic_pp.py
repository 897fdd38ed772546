"""Bicubic++: the official counts at four times the size, and odd sides."""

import pytest
import torch
import torch.nn.functional as F

from baselines import build
from sr.measure.complexity import count


def test_counts_are_those_of_the_official_code():
    counts = count(build("bicubic_pp"))
    assert (counts.params, counts.convs) == (74_592, 4)
    assert counts.multi_adds / 1e9 == pytest.approx(1.222, abs=5.1e-4)
    assert counts.activations / 1e6 == pytest.approx(4.72, abs=5.1e-3)
    # At three times the size the last convolution has 108 channels in place of 192.
    assert counts.params - (192 - 108) * 9 * 32 == 50_400


@pytest.mark.numeric
def test_odd_sides_are_rounded_up_with_zeros_and_cut():
    network = build("bicubic_pp", num_feat=4, num_block=1).double()
    lr = torch.rand(1, 3, 7, 9, dtype=torch.float64)
    with torch.inference_mode():
        padded = network(F.pad(lr, (0, 1, 0, 1)))[:, :, : 4 * 7, : 4 * 9]
        torch.testing.assert_close(network(lr), padded, rtol=0, atol=1e-12)


@pytest.mark.numeric
def test_the_first_features_are_added():
    network = build("bicubic_pp", num_feat=4, num_block=1).double()
    torch.nn.init.zeros_(network.body[0].weight)
    lr = torch.rand(1, 3, 6, 8, dtype=torch.float64)
    with torch.inference_mode():
        expected = F.pixel_shuffle(network.tail(F.leaky_relu(network.head(lr), 0.1)), 8)
        torch.testing.assert_close(network(lr), expected, rtol=0, atol=1e-12)
