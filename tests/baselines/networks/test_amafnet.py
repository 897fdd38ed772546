"""AMAF-Net: two readings of one report, both with Table 1's counts, and its weight norm."""

import pytest
import torch

from baselines import build
from baselines.challenge_table.published import PRINTED_UNIT, row
from sr.deployment import deploy
from sr.errors import InputError
from sr.measure.complexity import count


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("A", (488_106, 31_827_951_616, 125_304_832, 35)),
        ("B", (488_874, 31_823_757_312, 125_304_832, 35)),
    ],
)
def test_counts_are_those_of_table_1(variant, expected):
    counts, published = count(build("amafnet", variant=variant), fold=False), row("AMAF-Net")
    assert (counts.params, counts.challenge_flops, counts.activations, counts.convs) == expected
    assert counts.params / 1e6 == pytest.approx(published.params_m, abs=PRINTED_UNIT["params_m"])
    assert counts.challenge_flops / 1e9 == pytest.approx(published.flops_g, abs=PRINTED_UNIT["flops_g"])
    assert counts.activations / 1e6 == pytest.approx(published.activations_m, abs=PRINTED_UNIT["activations_m"])
    assert counts.convs == published.convs


def test_the_last_two_blocks_of_b_alone_are_pointwise():
    sizes = {
        variant: [
            (block.widen.kernel_size[0], block.fusion.kernel_size[0])
            for block in build("amafnet", variant=variant).blocks
        ]
        for variant in "AB"
    }
    assert sizes == {"A": [(3, 1)] * 8, "B": [(3, 3)] * 6 + [(1, 1)] * 2}


@pytest.mark.numeric
@pytest.mark.parametrize("variant", ["A", "B"])
def test_weight_norm_folds(variant):
    network = build("amafnet", num_feat=6, wide_feat=10, num_block=3, variant=variant).double().eval()
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if key.endswith("weight_g"):
                parameter.mul_(1 + torch.rand_like(parameter))
    folded, lr = deploy(network), torch.rand(1, 3, 6, 7, dtype=torch.float64)
    assert not any(key.endswith(("weight_g", "weight_v")) for key in folded.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(folded(lr), network(lr), rtol=0, atol=1e-10)


@pytest.mark.numeric
def test_every_block_adds_its_share_to_the_picture():
    network = build("amafnet", num_feat=4, wide_feat=8, num_block=3).eval()
    lr = torch.rand(1, 3, 5, 5)
    with torch.no_grad():
        before = network(lr)
        for block in network.blocks:
            kept = block.scales[3].clone()
            block.scales[3] = 0
            assert not torch.equal(network(lr), before)
            block.scales[3] = kept


def test_unknown_variants_are_refused():
    with pytest.raises(InputError, match="one of A, B, got 'C'"):
        build("amafnet", variant="C")
