"""PFSNet: its distance to the published counts, and its shared feature."""

import pytest
import torch
from torch import nn

from baselines import build
from baselines.challenge_table.published import row
from baselines.networks.pfsnet import FeatureShareBlock
from baselines.parts.rescale import RGB_MEAN
from sr.measure.complexity import count


def test_counts_and_their_distance_to_table_1():
    with torch.device("meta"):
        counts = count(build("pfsnet"))
    published = row("PFSNet")
    assert (counts.params, counts.challenge_flops, counts.activations) == (647_944, 42_387_177_472, 146_997_248)
    assert counts.convs == published.convs == 61
    assert counts.params / 1e6 / published.params_m - 1 == pytest.approx(-0.018, abs=5e-4)
    assert counts.challenge_flops / 1e9 / published.flops_g - 1 == pytest.approx(-0.0003, abs=5e-5)
    assert counts.activations / 1e6 / published.activations_m - 1 == pytest.approx(-0.014, abs=5e-4)


@pytest.mark.numeric
def test_a_block_without_its_fusion_is_the_identity():
    block = FeatureShareBlock(8)
    nn.init.zeros_(block.fuse.weight)
    nn.init.zeros_(block.fuse.bias)
    x = torch.randn(1, 8, 5, 6)
    assert torch.equal(block(x), x)


@pytest.mark.numeric
@pytest.mark.parametrize("index", [0, 1, 2])
def test_every_view_of_the_shared_feature_counts(index):
    block = FeatureShareBlock(8)
    x = torch.randn(1, 8, 5, 6)
    before = block(x)
    assert block.cheaps[index].weight.shape == (4, 1, 3, 3)
    nn.init.zeros_(block.cheaps[index].weight)
    assert not torch.allclose(block(x), before)


@pytest.mark.numeric
def test_without_features_the_picture_is_the_mean_colour():
    network = build("pfsnet", num_block=1).double()
    nn.init.zeros_(network.upsampler[0].weight)
    nn.init.zeros_(network.upsampler[0].bias)
    with torch.no_grad():
        sr = network(torch.rand(1, 3, 4, 5, dtype=torch.float64))
    expected = torch.tensor(RGB_MEAN).double().view(1, 3, 1, 1).expand(1, 3, 16, 20)
    torch.testing.assert_close(sr, expected)
