"""ETDS: its published sizes in three forms, that they fold, and how it starts and ends."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines import build
from baselines.networks.etds import ClippedTail, TwoStreamConv, TwoStreamTail
from sr.deployment import deploy
from sr.errors import InputError
from sr.measure.complexity import count

# -T, -S, -M, -L: blocks, width, parameters in training (the paper's), those of the published weights, deployed ones.
SIZES = [
    (5, 16, 17_366, 21_360, 19_008, 1.236, 9.44, 7),
    (4, 32, 48_792, 54_112, 51_760, 3.379, 13.63, 6),
    (6, 32, 65_780, 72_608, 70_256, 4.586, 17.83, 8),
    (7, 48, 159_474, 169_968, 167_616, 10.957, 28.31, 9),
]


def params(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("num_block", "num_feat", "trained", "published", "deployed", "multi_adds", "activations", "convs"), SIZES
)
def test_counts_of_all_forms(num_block, num_feat, trained, published, deployed, multi_adds, activations, convs):
    size = {"num_block": num_block, "num_feat": num_feat}
    counts = count(build("etds", **size))
    assert params(build("etds", **size, branched=True)) == trained
    assert params(build("etds", **size, clip_conv=True)) == published
    assert (counts.params, counts.convs) == (deployed, convs)
    assert counts.multi_adds / 1e9 == pytest.approx(multi_adds, abs=5.1e-4)
    assert counts.activations / 1e6 == pytest.approx(activations, abs=5.1e-3)
    assert count(build("etds", **size, branched=True)) == counts
    assert count(build("etds", **size, clip_conv=True)) == counts


@pytest.mark.numeric
@settings(deadline=None, max_examples=20)
@given(st.integers(4, 9), st.integers(1, 6), st.integers(1, 6))
def test_two_streams_are_one_convolution(num_feat, height, width):
    x = torch.randn(2, num_feat, height, width, dtype=torch.float64)
    for module in (TwoStreamConv(num_feat).double(), TwoStreamTail(num_feat).double()):
        for parameter in module.parameters():
            nn.init.normal_(parameter)
        with torch.no_grad():
            folded = deploy(module)
            assert type(folded) is nn.Conv2d
            torch.testing.assert_close(folded(x), module(x), rtol=0, atol=1e-12)
        features, picture = x[:, :-3], x[:, -3:]
        own = F.conv2d(picture, module.picture.weight, module.picture.bias, padding=1)
        written = F.conv2d(features, module.features.weight, module.features.bias, padding=1)
        with torch.no_grad():
            if isinstance(module, TwoStreamConv):
                written = written + F.conv2d(picture, module.coupling.weight, module.coupling.bias, padding=1)
                torch.testing.assert_close(module(x), torch.cat((written, own), 1), rtol=0, atol=1e-12)
            else:
                torch.testing.assert_close(module(x), written + own, rtol=0, atol=1e-12)


@pytest.mark.numeric
def test_the_clip_folds_into_what_the_network_clips():
    network = build("etds", num_feat=8, num_block=1, clip_conv=True).double().eval()
    nn.init.normal_(network.tail.conv.weight)
    folded, lr = deploy(network), torch.rand(1, 3, 7, 8, dtype=torch.float64)
    assert folded.state_dict().keys() == build("etds", num_feat=8, num_block=1).state_dict().keys()
    with torch.inference_mode():
        sr = network(lr)
        torch.testing.assert_close(folded(lr), sr, rtol=0, atol=1e-12)
    # Both ends were reached.
    assert (float(sr.min()), float(sr.max())) == (0, 1)


def test_what_does_more_than_clip_does_not_fold():
    tail = ClippedTail(4)
    nn.init.constant_(tail.clip.bias, 2)
    with pytest.raises(ValueError, match="does more than clip"):
        deploy(tail)


@pytest.mark.numeric
def test_it_starts_as_nearest_neighbour_where_features_are_silent():
    network = build("etds", num_feat=8, num_block=2, branched=True)
    for parameter in network.tail.features.parameters():
        nn.init.zeros_(parameter)
    lr = torch.rand(2, 3, 5, 6)
    with torch.inference_mode():
        torch.testing.assert_close(network(lr), F.interpolate(lr, scale_factor=4, mode="nearest"), rtol=0, atol=1e-6)


@pytest.mark.numeric
def test_it_clips_but_in_training():
    network = build("etds", num_feat=8, num_block=1)
    nn.init.constant_(network.tail.bias, 7)
    lr = torch.rand(1, 3, 5, 6)
    with torch.no_grad():
        assert float(network.train()(lr).max()) > 1
        assert float(network.eval()(lr).max()) == 1


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="at least one more, got 3"):
        build("etds", num_feat=3)
    with pytest.raises(InputError, match="ask for one"):
        build("etds", branched=True, clip_conv=True)
