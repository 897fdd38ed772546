"""FMEN: the official counts, and how the norms of its training form fold."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines import build
from baselines.networks.fmen import NormedConv
from baselines.official_weights import convert
from sr.deployment import deploy
from sr.measure.complexity import count


def with_statistics(module):
    """Give every batch norm statistics and scales of its own."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    return module.double().eval()


def test_counts_are_the_official_ones():
    counts = count(build("fmen"))
    assert (counts.params, counts.challenge_flops, counts.activations, counts.convs) == (
        341_066,
        22_280_011_776,
        72_089_600,
        34,
    )


def test_the_training_form_is_deployed_at_the_same_cost():
    assert count(build("fmen", branched=True)) == count(build("fmen"))


@pytest.mark.numeric
@settings(deadline=None, max_examples=30)
@given(st.integers(1, 8), st.integers(1, 8), st.booleans(), st.tuples(st.integers(1, 7), st.integers(1, 7)))
def test_norms_fold_into_their_convolution(in_channels, out_channels, norm_behind, size):
    block = with_statistics(NormedConv(in_channels, out_channels, norm_behind=norm_behind))
    x = torch.randn(2, in_channels, *size, dtype=torch.float64)
    with torch.no_grad():
        folded = deploy(block)
        assert type(folded) is nn.Conv2d
        torch.testing.assert_close(folded(x), block(x), rtol=0, atol=1e-10)
        # The norm of a zero-padded input, whose border holds what the norm makes of zero.
        expected = block.conv(block.norm(F.pad(x, (1, 1, 1, 1))))
        torch.testing.assert_close(block(x), expected, rtol=0, atol=1e-10)


@pytest.mark.numeric
def test_the_training_form_folds_with_statistics_of_its_own():
    network = with_statistics(build("fmen", num_feat=8, narrow_feat=4, num_block=1, branched=True))
    lr = torch.rand(1, 3, 6, 7, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(deploy(network)(lr), network(lr), rtol=0, atol=1e-10)


@pytest.mark.numeric
def test_training_moves_the_statistics():
    network = build("fmen", num_feat=8, narrow_feat=4, num_block=1, branched=True).train()
    network(torch.rand(2, 3, 8, 8))
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 2 * 3
    assert all(norm.running_mean.any() for norm in norms)


def test_shut_attention_silences():
    network = build("fmen", num_feat=8, narrow_feat=4, num_block=1)
    attentions = [network.warmup[1], network.blocks[0][1]]
    assert [len(attention.pairs) for attention in attentions] == [2, 1]
    for attention in attentions:
        nn.init.zeros_(attention.excite.weight)
        nn.init.constant_(attention.excite.bias, -1e4)
        with torch.no_grad():
            assert not attention(torch.randn(1, 8, 5, 6)).any()


def official_shapes(pairs, attentions):
    """Return the names and shapes of the authors' deployed network, the blocks under the two names."""

    def conv(name, out_channels, in_channels):
        return {f"{name}.weight": (out_channels, in_channels, 3, 3), f"{name}.bias": (out_channels,)}

    def pair(name, width):
        return conv(f"{name}.conv1.rep_conv", width, width) | conv(f"{name}.conv2.rep_conv", width, width)

    def attention(name, narrow, depth):
        inside = [pair(f"{name}.convs.{index}", narrow) for index in range(depth)]
        shapes = conv(f"{name}.squeeze", narrow, 50) | conv(f"{name}.excitate", 50, narrow)
        return {key: shape for each in (shapes, *inside) for key, shape in each.items()}

    shapes = conv("head", 50, 3) | conv("warmup.0", 50, 50) | attention("warmup.1", 12, 2)
    for index in range(4):
        shapes |= pair(f"{pairs}.{index}", 50) | attention(f"{attentions}.{index}", 16, 1)
    return shapes | conv("lr_conv", 50, 50) | conv("tail.0", 48, 50)


@pytest.mark.numeric
@pytest.mark.parametrize("names", [("ERBs", "HFABs"), ("basic_blocks", "hfabs")])
def test_weights_come_in_by_both_names_of_the_authors(names):
    official = {key: torch.randn(shape) for key, shape in official_shapes(*names).items()}
    tensors = convert("fmen", official).tensors
    assert len(tensors) == len(official)
    expected = {
        "head.weight": "head.weight",
        "warmup.0.bias": "warmup.0.bias",
        "warmup.1.squeeze.weight": "warmup.1.squeeze.weight",
        "warmup.1.pairs.1.conv2.weight": "warmup.1.convs.1.conv2.rep_conv.weight",
        "blocks.3.0.conv1.bias": f"{names[0]}.3.conv1.rep_conv.bias",
        "blocks.2.1.excite.weight": f"{names[1]}.2.excitate.weight",
        "blocks.0.1.pairs.0.conv1.weight": f"{names[1]}.0.convs.0.conv1.rep_conv.weight",
        "trunk.weight": "lr_conv.weight",
        "upsampler.0.bias": "tail.0.bias",
    }
    for ours, theirs in expected.items():
        assert torch.equal(tensors[ours], official[theirs]), ours
