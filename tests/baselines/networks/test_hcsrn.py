"""HCSRN: its counts at several widths, and the properties of its blocks that pruning rests on."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines import build
from baselines.challenge_table.published import row
from baselines.networks.hcsrn import HybridBlock
from sr.measure.complexity import count

CONVS = ("column_a", "row_a", "row_b", "column_b", "coarse1", "coarse2")


def counted(**config):
    with torch.device("meta"):
        return count(build("hcsrn", **config))


@pytest.mark.parametrize(
    ("num_feat", "params", "flops_g", "activations_m"),
    [
        (64, 3_670_019, 219.43, 619.71),
        (48, 2_066_691, 123.85, 465.57),
        (32, 920_579, 55.42, 311.43),
        (24, 518_979, 31.39, 234.36),
    ],
)
def test_counts_at_each_width(num_feat, params, flops_g, activations_m):
    counts = counted(num_feat=num_feat)
    assert (counts.params, counts.convs) == (params, 91)
    assert counts.challenge_flops / 1e9 == pytest.approx(flops_g, abs=0.005)
    assert counts.activations / 1e6 == pytest.approx(activations_m, abs=0.005)


def test_what_pruning_left_of_it_is_the_published_entry():
    counts, pruned = counted(), row("AHC-SRN")
    assert (counts.challenge_flops, counts.activations) == (219_429_208_064, 619_708_416)
    assert counts.convs == pruned.convs
    assert pruned.params_m / (counts.params / 1e6) == pytest.approx(0.096, abs=5e-4)
    assert pruned.flops_g / (counts.challenge_flops / 1e9) == pytest.approx(0.123, abs=5e-4)
    assert pruned.activations_m / (counts.activations / 1e6) == pytest.approx(0.488, abs=5e-4)


def test_every_convolution_is_a_plain_one_under_its_own_name():
    block = HybridBlock(8)
    assert {name for name, module in block.named_modules() if type(module) is nn.Conv2d} == set(CONVS)
    assert sum(parameter.numel() for parameter in block.parameters()) == 57 * 8**2 + 9 * 8


@pytest.mark.numeric
def test_the_skip_is_whole():
    block = HybridBlock(8)
    for conv in (block.row_a, block.column_b, block.coarse2):
        nn.init.zeros_(conv.weight)
        nn.init.zeros_(conv.bias)
    x = torch.randn(1, 8, 7, 6)
    assert torch.equal(block(x), x)


@pytest.mark.numeric
@settings(deadline=None, max_examples=30)
@given(height=st.integers(1, 9), width=st.integers(1, 9))
def test_blocks_are_the_sum_of_their_branches_with_repeated_edges_at_odd_sizes(height, width):
    block = HybridBlock(4).double()
    x = torch.randn(2, 4, height, width, dtype=torch.float64)
    act = nn.LeakyReLU(0.1)
    pooled = F.avg_pool2d(F.pad(x, (0, width % 2, 0, height % 2), mode="replicate"), 2)
    coarse = F.pixel_shuffle(block.coarse2(act(block.coarse1(pooled))), 2)[..., :height, :width]
    expected = x + block.row_a(act(block.column_a(x))) + block.column_b(act(block.row_b(x))) + coarse
    torch.testing.assert_close(block(x), expected, rtol=0, atol=1e-12)


@pytest.mark.numeric
@pytest.mark.parametrize("lr_size", [(1, 1), (1, 2), (3, 1), (5, 7)])
def test_small_and_odd_pictures_are_enlarged(lr_size):
    network = build("hcsrn", num_feat=8, num_block1=2, num_block2=1).eval()
    with torch.inference_mode():
        sr = network(torch.rand(1, 3, *lr_size))
    assert sr.shape == (1, 3, 4 * lr_size[0], 4 * lr_size[1])
    assert torch.isfinite(sr).all()
