"""LARN: two readings of one report, their distance to its counts, and which blocks they gate."""

import pytest
import torch
from torch import nn

from baselines import build
from baselines.challenge_table.published import row
from sr.errors import InputError
from sr.measure.complexity import count


def counted(variant):
    with torch.device("meta"):
        return count(build("larn", variant=variant))


@pytest.mark.parametrize(
    ("variant", "expected", "distance"),
    [
        ("five_steps", (761_967, 50_872_033_600, 130_417_280), 0.002),
        ("alternating", (769_785, 50_401_677_456, 131_619_376), 0.012),
    ],
)
def test_counts_and_their_distance_to_table_1(variant, expected, distance):
    counts, published = counted(variant), row("LARN")
    assert (counts.params, counts.challenge_flops, counts.activations) == expected
    assert counts.convs == published.convs == 59
    assert counts.params / 1e6 == pytest.approx(published.params_m, rel=distance)
    assert counts.challenge_flops / 1e9 == pytest.approx(published.flops_g, rel=distance)
    assert counts.activations / 1e6 == pytest.approx(published.activations_m, rel=distance)


@pytest.mark.numeric
@pytest.mark.parametrize(("variant", "gated"), [("five_steps", [0, 1, 2, 3, 4]), ("alternating", [1, 3, 5, 7])])
def test_a_shut_gate_silences_the_gated_blocks_and_no_other(variant, gated):
    network = build("larn", num_feat=8, variant=variant).eval()
    last = list(network.gates.spatial.children())[-1]
    assert last.out_channels == 1
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, -1e4)
    lr = torch.rand(1, 3, 16, 17)
    with torch.no_grad():
        before = network(lr)
        silent = []
        for index, block in enumerate(network.blocks):
            kept = block.fuse.bias.clone()
            block.fuse.bias.add_(1)
            if torch.equal(network(lr), before):
                silent.append(index)
            block.fuse.bias.copy_(kept)
    assert silent == gated


def test_the_gates_exist_once():
    network = build("larn")
    assert sum(parameter.numel() for parameter in network.gates.parameters()) == 5_807 + 8_320


def test_unknown_variants_and_widths_are_refused():
    with pytest.raises(InputError, match="one of five_steps, alternating; got 'both'"):
        build("larn", variant="both")
    with pytest.raises(InputError, match="multiple of 8 where alternating, got 12"):
        build("larn", variant="alternating", num_feat=12)
