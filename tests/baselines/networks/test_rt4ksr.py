"""RT4KSR: the official counts without the unused branch, and its first convolution."""

import pytest
import torch
import torch.nn.functional as F

from baselines import build
from sr.measure.complexity import count


def test_counts_are_the_official_ones_without_the_unused_branch():
    counts = count(build("rt4ksr"))
    # The branch: a folded convolution, and a factor.
    assert counts.params + (9 * 24 * 24 + 24) + 1 == 75_769
    assert counts.convs == 7
    assert counts.multi_adds / 1e9 == pytest.approx(1.147, abs=5.1e-4)
    assert counts.activations / 1e6 == pytest.approx(5.51, abs=5.1e-3)


def test_the_training_form_is_deployed_at_the_same_cost():
    assert count(build("rt4ksr", branched=True)) == count(build("rt4ksr"))


@pytest.mark.numeric
def test_the_head_is_an_unshuffle_and_a_3x3_convolution():
    network = build("rt4ksr", num_feat=4, num_block=1).double()
    lr = torch.rand(1, 3, 6, 8, dtype=torch.float64)
    # Channels of the unshuffle: colour, row and column of the sub-pixel.
    kernel = network.head.weight.unflatten(3, (3, 2)).unflatten(2, (3, 2)).permute(0, 1, 3, 5, 2, 4).flatten(1, 3)
    with torch.inference_mode():
        shallow = F.conv2d(F.pixel_unshuffle(lr, 2), kernel, network.head.bias, padding=1)
        expected = F.pixel_shuffle(network.tail(network.trunk(network.blocks(shallow))), 8)
        torch.testing.assert_close(network(lr), expected, rtol=0, atol=1e-12)


@pytest.mark.numeric
def test_odd_sides_are_rounded_up_with_zeros_and_cut():
    network = build("rt4ksr", num_feat=4, num_block=1).double()
    lr = torch.rand(1, 3, 7, 9, dtype=torch.float64)
    with torch.inference_mode():
        padded = network(F.pad(lr, (0, 1, 0, 1)))[:, :, : 4 * 7, : 4 * 9]
        torch.testing.assert_close(network(lr), padded, rtol=0, atol=1e-12)
