"""SAM_SR_LITE: its published counts, its squeeze-excite and its batch norm."""

import pytest
import torch
from torch import nn

from baselines import build
from baselines.challenge_table.published import PRINTED_UNIT, row
from baselines.networks.sam_sr_lite import MobileBlock, SqueezeExcite
from sr.deployment import deploy
from sr.measure.complexity import count


def counted(*, fold):
    with torch.device("meta"):
        return count(build("sam_sr_lite"), fold=fold)


def test_counts_and_their_distance_to_table_1():
    counts, published = counted(fold=False), row("SAM_SR_LITE")
    assert (counts.params, counts.challenge_flops, counts.activations) == (558_803, 31_881_594_892, 575_406_080)
    assert counts.convs == published.convs - 1 == 58
    assert counts.params / 1e6 == pytest.approx(published.params_m, abs=PRINTED_UNIT["params_m"])
    assert counts.challenge_flops / 1e9 == pytest.approx(published.flops_g, abs=PRINTED_UNIT["flops_g"])
    assert counts.activations / 1e6 / published.activations_m - 1 == pytest.approx(-0.0018, abs=5e-5)


@pytest.mark.numeric
def test_batch_norm_folds_away():
    network = build("sam_sr_lite", num_feat=8, num_block=2).double()
    network.train()(torch.rand(2, 3, 9, 8, dtype=torch.float64))
    lr = torch.rand(1, 3, 5, 6, dtype=torch.float64)
    folded = deploy(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    with torch.no_grad():
        torch.testing.assert_close(folded(lr), network.eval()(lr), rtol=0, atol=1e-10)
    counts = counted(fold=True)
    norms = 2 * (6 + 6 + 72) + 16 * 2 * (144 + 144 + 72)
    assert counts.params == 558_803 - norms
    assert counts.challenge_flops == 31_881_594_892 - norms * 256 * 256


@pytest.mark.numeric
def test_squeeze_excite_weighs_channels_between_nothing_and_all():
    squeeze_excite = SqueezeExcite(8).double()
    x = torch.randn(2, 8, 4, 5, dtype=torch.float64)
    nn.init.zeros_(squeeze_excite.restore.weight)
    for bias, weight in ((-3.0, 0.0), (0.0, 0.5), (3.0, 1.0)):
        nn.init.constant_(squeeze_excite.restore.bias, bias)
        torch.testing.assert_close(squeeze_excite(x), weight * x)


@pytest.mark.numeric
def test_only_blocks_that_keep_the_width_have_a_skip():
    x = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    for out_channels, expected in ((3, x), (8, torch.zeros(1, 8, 4, 4, dtype=torch.float64))):
        block = MobileBlock(3, out_channels).double().eval()
        norm = block.project[1]
        nn.init.zeros_(norm.weight)
        nn.init.zeros_(norm.bias)
        torch.testing.assert_close(block(x), expected)
