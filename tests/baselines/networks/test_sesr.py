"""SESR: its sizes in RGB, how its blocks collapse, and what it adds to."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines import build
from baselines.networks.sesr import CollapsibleConv
from sr.deployment import deploy
from sr.measure.complexity import count

# The paper's, in luma and without the slopes: 13.71K, 18.32K, 22.92K, 32.14K, 114.97K, cut off to tens.
LUMA = {(16, 3): 1371, (16, 5): 1832, (16, 7): 2292, (16, 11): 3214, (32, 11): 11_497}


@pytest.mark.parametrize(
    ("num_feat", "num_block", "params", "multi_adds", "activations", "convs"),
    [
        (16, 3, 27_360, 1.790, 7.34, 5),
        (16, 5, 32_000, 2.092, 9.44, 7),
        (16, 7, 36_640, 2.394, 11.53, 9),
        (16, 11, 45_920, 2.998, 15.73, 13),
        (32, 11, 142_528, 9.318, 28.31, 13),
    ],
)
def test_counts_are_the_papers_with_three_colours(num_feat, num_block, params, multi_adds, activations, convs):
    counts = count(build("sesr", num_feat=num_feat, num_block=num_block))
    assert (counts.params, counts.convs) == (params, convs)
    assert counts.multi_adds / 1e9 == pytest.approx(multi_adds, abs=5.1e-4)
    assert counts.activations / 1e6 == pytest.approx(activations, abs=5.1e-3)
    # Two colours less before the first convolution, 32 sub-pixels less behind the last, no slopes.
    luma = params - 25 * num_feat * (2 + 32) - num_feat * num_block
    assert luma // 10 == LUMA[num_feat, num_block]


def test_the_training_form_is_deployed_at_the_same_cost():
    assert count(build("sesr", branched=True)) == count(build("sesr"))


@pytest.mark.numeric
@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.sampled_from([3, 5]), st.integers(1, 6), st.integers(1, 6))
def test_blocks_collapse(num_feat, kernel_size, height, width):
    block = CollapsibleConv(num_feat, num_feat, kernel_size, expand_feat=7, residual=True).double()
    x = torch.randn(2, num_feat, height, width, dtype=torch.float64)
    with torch.no_grad():
        folded = deploy(block)
        assert type(folded) is nn.Conv2d
        # As it is drawn: the wide convolution of a zero-padded input, the narrow one, the identity.
        drawn = x + block.project(F.conv2d(x, block.expand.weight, padding=kernel_size // 2))
        torch.testing.assert_close(folded(x), drawn, rtol=0, atol=1e-12)
        torch.testing.assert_close(block(x), drawn, rtol=0, atol=1e-12)


@pytest.mark.numeric
def test_without_a_last_convolution_it_repeats_pixels():
    network = build("sesr", num_feat=4, num_block=1).eval()
    nn.init.zeros_(network.tail.weight)
    lr = torch.rand(2, 3, 5, 6)
    with torch.inference_mode():
        assert torch.equal(network(lr), F.interpolate(lr, scale_factor=4, mode="nearest"))
