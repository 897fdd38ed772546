"""SRRN: Table 1's counts, and which blocks share their weights."""

import pytest
import torch
from torch import nn

from baselines import build
from baselines.challenge_table.published import PRINTED_UNIT, row
from sr.errors import InputError
from sr.measure.complexity import count


def test_counts_are_those_of_table_1():
    counts, published = count(build("srrn")), row("SRRN")
    assert (counts.params, counts.challenge_flops, counts.activations, counts.convs) == (
        361_840,
        81_721_819_136,
        145_752_064,
        35,
    )
    assert counts.params / 1e6 == pytest.approx(published.params_m, abs=PRINTED_UNIT["params_m"])
    assert counts.challenge_flops / 1e9 == pytest.approx(published.flops_g, abs=PRINTED_UNIT["flops_g"])
    assert counts.activations / 1e6 == pytest.approx(published.activations_m, abs=PRINTED_UNIT["activations_m"])
    assert counts.convs == published.convs


@pytest.mark.numeric
@pytest.mark.parametrize(("pattern", "expected"), [("0123", "012301"), ("0", "000000"), ("001122", "001122")])
def test_blocks_share_weights_in_the_patterns_order(pattern, expected):
    network = build("srrn", num_feat=4, num_block=6, pattern=pattern).double().eval()
    assert len(network.blocks) == len(set(expected))
    lr = torch.rand(1, 3, 5, 6, dtype=torch.float64)
    with torch.inference_mode():
        features = shallow = network.act(network.head(lr))
        for digit in expected:
            features = network.blocks[int(digit)](features)
        residual = network.upsampler(shallow + network.trunk(features))
        enlarged = nn.functional.interpolate(lr, scale_factor=4, mode="bilinear", align_corners=False)
        torch.testing.assert_close(network(lr), enlarged + residual)


@pytest.mark.parametrize("pattern", ["", "a", "-1", "013", "12"])
def test_patterns_without_sense_are_refused(pattern):
    with pytest.raises(InputError, match="a pattern"):
        build("srrn", pattern=pattern)


def test_a_pattern_longer_than_the_network_leaves_no_set_out():
    assert build("srrn", num_feat=4, num_block=2).order == (0, 1)
    with pytest.raises(InputError, match="'0213' over 2 blocks"):
        build("srrn", num_block=2, pattern="0213")
