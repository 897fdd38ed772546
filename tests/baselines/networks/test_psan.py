"""PSAN: its distance to the published counts, its dense fusions and its attention."""

import pytest
import torch

from baselines import build
from baselines.challenge_table.published import PRINTED_UNIT, row
from baselines.networks.psan import UpscaledAttention
from sr.measure.complexity import count


def test_counts_and_their_distance_to_table_1():
    with torch.device("meta"):
        counts = count(build("psan"))
    published = row("PSAN")
    assert (counts.params, counts.challenge_flops, counts.activations) == (690_747, 53_183_318_048, 184_746_048)
    assert counts.convs == published.convs == 72
    assert counts.activations / 1e6 == pytest.approx(published.activations_m, abs=PRINTED_UNIT["activations_m"])
    assert counts.params / 1e6 / published.params_m - 1 == pytest.approx(-0.0004, abs=5e-5)
    assert counts.challenge_flops / 1e9 / published.flops_g - 1 == pytest.approx(-0.008, abs=5e-4)


def test_every_group_reads_all_groups_before_it_and_the_picture():
    network = build("psan", num_group=3)
    assert [group.fuse.in_channels for group in network.groups] == [35, 67, 99]
    assert network.fuse.in_channels == 99


@pytest.mark.numeric
def test_attention_is_the_product_of_its_formulas():
    attention = UpscaledAttention(4).double()
    x = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    weights = attention.channel(x.mean((2, 3), keepdim=True))
    expected = torch.stack(
        [x[:, channel] * weights[:, channel] * torch.sigmoid(x.sum(1) / 4) for channel in range(4)], dim=1
    )
    torch.testing.assert_close(attention(x), expected)
