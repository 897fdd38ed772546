"""FSRCNN: its counts in both forms, and that the transposed convolution folds into a 3x3 one and a shuffle."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines import build
from baselines.networks.fsrcnn import TransposedTail
from sr.deployment import deploy
from sr.measure.complexity import count
from sr.scale import SCALES


# The deployed form's figures follow from the training form's, which are those of the weights that ETDS's authors
# published: 9 taps for each of 48 channels in place of 81 for each of 3, and 48 biases in place of 3.
@pytest.mark.parametrize(
    ("size", "trained", "deployed", "multi_adds", "activations", "convs"),
    [
        ({}, 24_683, 35_312, 2.289, 14.42, 8),
        ({"num_feat": 32, "mid_feat": 5, "num_block": 1}, 10_872, 16_965, 1.099, 8.00, 5),
    ],
)
def test_counts_of_both_forms(size, trained, deployed, multi_adds, activations, convs):
    network = build("fsrcnn", **size, transposed=True)
    counts = count(build("fsrcnn", **size))
    assert sum(parameter.numel() for parameter in network.parameters()) == trained
    assert count(network) == counts
    assert (counts.params, counts.convs) == (deployed, convs)
    assert counts.multi_adds / 1e9 == pytest.approx(multi_adds, abs=5.1e-4)
    assert counts.activations / 1e6 == pytest.approx(activations, abs=5.1e-3)


@pytest.mark.numeric
@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6), st.sampled_from(SCALES))
def test_the_transposed_convolution_folds(num_feat, height, width, scale):
    tail = TransposedTail(num_feat, scale).double()
    x = torch.randn(2, num_feat, height, width, dtype=torch.float64)
    with torch.no_grad():
        folded = deploy(tail)
        assert [type(module) for module in folded][-2:] == [nn.Conv2d, nn.PixelShuffle]
        assert folded[-2].kernel_size == {2: (5, 5), 3: (4, 4), 4: (3, 3)}[scale]
        torch.testing.assert_close(folded(x), tail(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_of_the_folded_taps_those_beyond_the_kernel_are_zero(scale):
    folded = deploy(TransposedTail(1, scale))
    assert int((folded[-2].weight != 0).sum()) == 3 * 81


@pytest.mark.numeric
def test_the_training_form_folds_into_the_deployed_form():
    network = build("fsrcnn", num_feat=8, num_block=1, transposed=True).double().eval()
    folded, lr = deploy(network), torch.rand(1, 3, 7, 8, dtype=torch.float64)
    assert folded.state_dict().keys() == build("fsrcnn", num_feat=8, num_block=1).state_dict().keys()
    with torch.inference_mode():
        torch.testing.assert_close(folded(lr), network(lr), rtol=0, atol=1e-12)
