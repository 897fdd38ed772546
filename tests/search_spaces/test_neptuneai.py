"""The challenge's one search entry, by its published counts."""

from collections import Counter

import pytest
import torch

from search_spaces.neptuneai import KINDS, NEPTUNEAI, NEPTUNEAI_SPACE
from search_spaces.network import build
from sr.deployment import deploy
from sr.measure.complexity import Complexity, count

pytestmark = pytest.mark.numeric


@pytest.fixture(scope="module")
def counts() -> Complexity:
    """Counts with the batch norms left in, as the challenge counted."""
    with torch.device("meta"):
        return count(build(NEPTUNEAI), fold=False)


def test_counts_are_those_of_the_report(counts: Complexity) -> None:
    # Table 1 gives 1.227 M parameters and 45 convolutions; activations and FLOPs follow from the blocks.
    assert (counts.params, counts.convs, counts.activations) == (1_227_587, 45, 535_822_336)


def test_flops_are_those_of_the_report(counts: Complexity) -> None:
    assert counts.challenge_flops / 1e9 == pytest.approx(147.72, abs=0.01)


def test_batch_norm_folds_away(counts: Complexity) -> None:
    with torch.device("meta"):
        folded = count(build(NEPTUNEAI))
    assert folded.params < counts.params
    assert (folded.convs, folded.activations) == (counts.convs, counts.activations)


def test_the_mix_of_kinds() -> None:
    assert Counter(block.kind for block in NEPTUNEAI.blocks) == {
        "inverted_x3": 5, "inverted_x6": 3, "residual_leaky": 5, "residual_relu": 3,
    }  # fmt: skip


def test_no_other_mix_of_three_block_costs_has_the_published_counts() -> None:
    # With batch norm at 64 channels: inverted x3, inverted x6, basic; head and tail have 335,875 and 5 convolutions.
    mixes = [(x3, x6, 16 - x3 - x6) for x3 in range(17) for x6 in range(17 - x3)]
    matching = [
        (x3, x6, basic)
        for x3, x6, basic in mixes
        if 5 + 3 * (x3 + x6) + 2 * basic == 45
        and 1_227_000 <= 335_875 + 27_200 * x3 + 54_272 * x6 + 74_112 * basic < 1_228_000
    ]
    assert matching == [(5, 3, 8)]


def test_the_space_is_four_kinds_at_sixteen_positions() -> None:
    assert NEPTUNEAI_SPACE.size == NEPTUNEAI_SPACE.networks == 4**16
    assert NEPTUNEAI_SPACE.kinds == KINDS
    assert NEPTUNEAI in NEPTUNEAI_SPACE.seeds


def test_deployed_network_computes_the_same() -> None:
    network = build(NEPTUNEAI).double().eval()
    lr = torch.rand(1, 3, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(deploy(network)(lr), network(lr), rtol=0, atol=1e-10)
