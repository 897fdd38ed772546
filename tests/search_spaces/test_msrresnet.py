"""The challenge's baseline as an architecture, by its published counts and its reference function."""

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

from search_spaces.architecture import Architecture, Block
from search_spaces.kinds import BLOCKS
from search_spaces.msrresnet import MSRRESNET, MSRRESNET_SPACE, repeated
from search_spaces.network import build
from sr.measure.complexity import count

pytestmark = pytest.mark.numeric

# From the names of the reference network to ours.
RENAMED = {
    "recon_trunk.": "trunk.",
    "upconv1.": "upsampler.upconv1.",
    "upconv2.": "upsampler.upconv2.",
    "HRconv.": "upsampler.conv_hr.",
    "conv_last.": "upsampler.conv_last.",
}


def renamed(name: str) -> str:
    """Return our name of a tensor of the reference network."""
    for theirs, ours in RENAMED.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name


def test_counts_are_those_of_table_1() -> None:
    with torch.device("meta"):
        counts = count(build(MSRRESNET))
    assert (counts.params, counts.convs) == (1_517_571, 37)
    assert (counts.challenge_flops, counts.activations) == (166_362_873_856, 292_552_704)


def test_computes_what_the_reference_computes(shared: Path) -> None:
    content = torch.load(shared / "reference" / "msrresnet.pt", weights_only=True)
    # In float64, so that all that is left is the rounding of the reference, which is the same on every processor.
    network = build(MSRRESNET).double().eval()
    network.load_state_dict({renamed(name): tensor for name, tensor in content["state_dict"].items()})
    expected: Tensor = content["sr"]
    with torch.no_grad():
        torch.testing.assert_close(network(content["lr"].double()), expected.double(), rtol=0, atol=1e-4)


def test_repeated() -> None:
    assert repeated(8, "idle", 2, norm="batch") == Architecture(8, (Block("idle"), Block("idle")), norm="batch")


def test_the_baseline_is_a_seed_and_the_dearest() -> None:
    with torch.device("meta"):
        costs = [count(build(seed), (32, 32)) for seed in MSRRESNET_SPACE.seeds]
    assert MSRRESNET_SPACE.seeds[-1] == MSRRESNET
    assert max(costs, key=lambda cost: cost.multi_adds) == costs[-1]


def test_the_ladder_starts_far_below_and_climbs_to_the_baseline() -> None:
    with torch.device("meta"):
        params = [count(build(seed), (8, 8)).params for seed in MSRRESNET_SPACE.seeds]
    assert min(params) < 10_000
    # Wherever a budget lies, the next seed below it is within a factor of four.
    ladder = sorted(params)
    assert all(above <= 4 * below for below, above in itertools.pairwise(ladder))


def test_size_of_the_default_space() -> None:
    # Eleven widths, three upsamplers, five image skips, three aggregations, and all kinds at 24 positions: nine of
    # them at the time of writing. Up to 24 real blocks stand in a row: 1 + 8 + 8**2 + ... + 8**24 trunks.
    kinds = len(BLOCKS)
    assert MSRRESNET_SPACE.size == 11 * 3 * 5 * 3 * kinds**24
    assert MSRRESNET_SPACE.networks == 11 * 3 * 5 * 3 * sum((kinds - 1) ** depth for depth in range(25))
