"""ESR-Net: its distance to the published counts, and that it doubles twice."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import build
from baselines.challenge_table.published import row
from sr.measure.complexity import count


def test_counts_and_their_distance_to_table_1():
    counts, published = count(build("esrnet")), row("ESR-Net")
    assert (counts.params, counts.challenge_flops, counts.activations) == (526_182, 90_164_035_584, 324_796_416)
    assert counts.convs == published.convs == 101
    assert counts.params / 1e6 == pytest.approx(published.params_m, rel=0.008)
    assert counts.challenge_flops / 1e9 == pytest.approx(published.flops_g, rel=0.001)
    assert counts.activations / 1e6 == pytest.approx(published.activations_m, rel=0.001)


@pytest.mark.numeric
def test_without_residuals_it_enlarges_bilinearly_twice():
    network = build("esrnet", num_feat=4, growth=3, num_block=1).double().eval()
    for half in (network.coarse, network.fine):
        nn.init.zeros_(half.colours.weight)
        nn.init.zeros_(half.colours.bias)
    lr = torch.rand(1, 3, 5, 6, dtype=torch.float64)
    twice = lr
    for _ in range(2):
        twice = F.interpolate(twice, scale_factor=2, mode="bilinear", align_corners=False)
    with torch.inference_mode():
        torch.testing.assert_close(network(lr), twice)


def test_the_halves_share_nothing():
    network = build("esrnet")
    coarse, fine = (sum(each.numel() for each in half.parameters()) for half in (network.coarse, network.fine))
    assert (coarse, fine - coarse) == (261_096, 21 * 21 * 9 + 21)
