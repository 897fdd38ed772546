"""PWAN: its distance to the one count that was published, and its attention."""

import pytest
import torch
from torch import nn

from baselines import build
from baselines.challenge_table.published import row
from sr.measure.complexity import count


def test_counts_and_their_distance_to_table_1():
    counts, published = count(build("pwan")), row("PWAN")
    assert (counts.params, counts.challenge_flops, counts.activations, counts.convs) == (
        1_377_827,
        100_166_270_976,
        244_318_208,
        30,
    )
    assert published.status("params_m") == "unverified"
    assert counts.params / 1e6 == pytest.approx(published.params_m, abs=5e-4)
    assert (published.flops_g, published.activations_m, published.convs) == (None, None, None)


def test_attention_adds_its_parameters():
    assert count(build("pwan", attention=True)).params == 1_379_771


@pytest.mark.numeric
def test_a_shut_gate_leaves_the_identity():
    block = build("pwan", num_feat=16, num_block=1, attention=True).blocks[0]
    nn.init.zeros_(block.gate[2].weight)
    nn.init.constant_(block.gate[2].bias, -1e4)
    x = torch.randn(1, 16, 5, 6)
    with torch.no_grad():
        assert torch.equal(block(x), x)
