"""CFN: its distance to the counts that the team gave, and its two levels."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import build
from baselines.challenge_table.published import row
from sr.measure.complexity import count


def test_counts_and_their_distance_to_table_1():
    counts, published = count(build("cfn")), row("CFN")
    assert (counts.params, counts.challenge_flops, counts.activations) == (410_960, 67_187_245_056, 625_213_440)
    assert counts.convs == published.convs == 128
    assert counts.params / 1e6 == pytest.approx(published.params_m, rel=0.01)
    assert {published.status(column) for column in ("params_m", "convs", "psnr_val")} == {"unverified"}


@pytest.mark.numeric
def test_each_level_corrects_the_doubled_picture():
    network = build("cfn", num_feat=4, narrow_feat=3, num_block=1).double().eval()
    lr = torch.rand(2, 3, 5, 6, dtype=torch.float64)
    with torch.inference_mode():
        middle, sr = network.pyramid(lr)
        assert (middle.shape, sr.shape) == ((2, 3, 10, 12), (2, 3, 20, 24))
        assert torch.equal(sr, network(lr))
    for level in (network.coarse, network.fine):
        nn.init.zeros_(level.upsampler[0].weight)
        nn.init.zeros_(level.upsampler[0].bias)
    with torch.inference_mode():
        middle, sr = network.pyramid(lr)
    expected = F.interpolate(lr, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(middle, expected)
    torch.testing.assert_close(sr, F.interpolate(expected, scale_factor=2, mode="bilinear", align_corners=False))


@pytest.mark.numeric
def test_the_fine_level_learns_from_what_the_coarse_one_made():
    network = build("cfn", num_feat=4, narrow_feat=3, num_block=1)
    network(torch.rand(1, 3, 5, 6)).square().mean().backward()
    assert network.coarse.upsampler[0].weight.grad.any()
