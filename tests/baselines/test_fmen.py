"""FMEN: the official counts, and how the norms of its training form fold."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines import build
from baselines.fmen import NormedConv
from sr.complexity import count
from sr.deployment import deploy


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


def test_the_training_form_folds_with_statistics_of_its_own():
    network = with_statistics(build("fmen", num_feat=8, narrow_feat=4, num_block=1, branched=True))
    lr = torch.rand(1, 3, 6, 7, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(deploy(network)(lr), network(lr), rtol=0, atol=1e-10)


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
