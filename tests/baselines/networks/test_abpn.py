"""ABPN: its published sizes, and what it adds to."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines import build
from sr.measure.complexity import count


# M4C28 and M6C40 as ETDS's authors published them; M4C16 by the same layers.
@pytest.mark.parametrize(
    ("num_block", "num_feat", "params", "multi_adds", "activations", "convs"),
    [(4, 28, 62_048, 4.051, 15.47, 7), (6, 40, 125_872, 8.225, 24.64, 9), (4, 16, 37_472, 2.444, 11.53, 7)],
)
def test_counts_are_those_of_the_published_weights(num_block, num_feat, params, multi_adds, activations, convs):
    counts = count(build("abpn", num_block=num_block, num_feat=num_feat))
    assert (counts.params, counts.convs) == (params, convs)
    assert counts.multi_adds / 1e9 == pytest.approx(multi_adds, abs=5.1e-4)
    assert counts.activations / 1e6 == pytest.approx(activations, abs=5.1e-3)


@pytest.mark.numeric
def test_without_a_last_convolution_it_repeats_pixels():
    network = build("abpn", num_feat=4, num_block=1).eval()
    for parameter in network.body[-1].parameters():
        nn.init.zeros_(parameter)
    lr = torch.rand(2, 3, 5, 6)
    with torch.inference_mode():
        assert torch.equal(network(lr), F.interpolate(lr, scale_factor=4, mode="nearest"))
