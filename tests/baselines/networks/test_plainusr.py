"""PlainUSR: its published sizes, how its gated branches fold, and its weights by the authors' names."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines import build
from baselines.networks.plainusr import GatedResidualConv
from baselines.official_weights import convert
from sr.deployment import deploy
from sr.errors import InputError
from sr.measure.complexity import count

FULL = {"num_feat": 32, "num_block": 3, "importance_feat": 4}
SIZES = {
    "U": ({}, 19_820, 1.289, 10.16, 9),
    "T": ({"num_feat": 32}, 60_100, 3.922, 16.97, 9),
    "S": (FULL, 68_612, 4.183, 20.60, 27),
    "M": ({"num_feat": 48, "num_block": 3, "importance_feat": 8, "narrowing": 16}, 165_492, 9.808, 32.56, 27),
    "base": ({"num_feat": 64, "num_block": 3, "importance_feat": 16, "narrowing": 16}, 333_108, 18.677, 46.93, 27),
    "L": (
        {"num_feat": 80, "num_block": 3, "importance_feat": 16, "narrowing": 16, "num_conv": 3},
        734_004, 44.176, 80.62, 32,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SIZES)
def test_counts_are_those_of_the_published_weights(name):
    size, params, multi_adds, activations, convs = SIZES[name]
    counts = count(build("plainusr", **size))
    assert (counts.params, counts.convs) == (params, convs)
    assert counts.multi_adds / 1e9 == pytest.approx(multi_adds, abs=5.1e-4)
    assert counts.activations / 1e6 == pytest.approx(activations, abs=5.1e-3)


def test_the_training_form_is_deployed_at_the_same_cost():
    for size in ({}, FULL):
        assert count(build("plainusr", **size, branched=True)) == count(build("plainusr", **size))


@pytest.mark.numeric
@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.booleans(), st.integers(1, 5), st.integers(1, 5))
def test_gated_branches_fold(num_feat, mixed, height, width):
    block = GatedResidualConv(num_feat, mixed=mixed).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, num_feat, height, width, dtype=torch.float64)
    with torch.no_grad():
        folded = deploy(block)
        assert type(folded) is nn.Conv2d
        # As it is drawn: the wide map of a zero-padded input, whose border holds the bias.
        wide = block.expand(F.pad(x, (1, 1, 1, 1)))
        gate = torch.sigmoid(block.gate(block.code))[:, None, None]
        drawn = x + block.project(gate * block.square(wide) + wide[:, :, 1:-1, 1:-1])
        if block.mix is not None:
            drawn = torch.cat((block.mix(drawn), drawn[:, 1:]), dim=1)
        torch.testing.assert_close(folded(x), drawn, rtol=0, atol=1e-10)
        torch.testing.assert_close(block(x), drawn, rtol=0, atol=1e-10)


@pytest.mark.numeric
def test_the_full_training_form_folds_and_learns():
    network = build("plainusr", **FULL, branched=True).double()
    lr = torch.rand(1, 3, 15, 17, dtype=torch.float64)
    network(lr).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    with torch.inference_mode():
        torch.testing.assert_close(deploy(network)(lr), network(lr), rtol=0, atol=1e-10)


def test_blocks_work_on_the_first_channels_inward_and_outward():
    assert build("plainusr", num_feat=32).widths == [32, 16, 32]
    assert build("plainusr", **FULL).widths == [32, 16, 8, 16, 32]
    assert build("plainusr", num_feat=48, num_block=3, narrowing=16).widths == [48, 32, 16, 32, 48]
    with pytest.raises(InputError, match=r"must stay over 0, got \[16, 8, 0\]"):
        build("plainusr", num_block=3, narrowing=8)


@pytest.mark.numeric
def test_channels_behind_a_block_are_left_alone():
    network = build("plainusr", num_feat=4).eval()
    # The blocks say nothing, and the picture's channels are behind all of them.
    for block in network.blocks.values():
        for parameter in block.parameters():
            nn.init.zeros_(parameter)
    with torch.no_grad():
        for conv in (network.head, network.upsampler[0]):
            conv.weight.copy_(conv.weight.round())
            nn.init.zeros_(conv.bias)
        lr = torch.rand(2, 3, 5, 6)
        assert torch.equal(network(lr), F.interpolate(lr, scale_factor=4, mode="nearest"))


def conv(name, out_channels, in_channels, size=3):
    return {f"{name}.weight": (out_channels, in_channels, size, size), f"{name}.bias": (out_channels,)}


def official_shapes(num_feat, blocks, num_conv, importance_feat):
    """Return the names and shapes of the authors' deployed network."""
    shapes = conv("head", num_feat + 3, 3) | conv("tail.0", 48, num_feat + 3)
    for name, width in blocks.items():
        for index in range(num_conv):
            shapes |= conv(f"{name}.body.{2 * index}", width, width)
        attention = f"{name}.body.{2 * num_conv - 1}.body"
        if importance_feat:
            shapes |= conv(f"{attention}.0", importance_feat, width, 1)
            shapes |= conv(f"{attention}.2", importance_feat, importance_feat)
            shapes |= conv(f"{attention}.3", width, importance_feat)
        elif name == "blockm":
            shapes |= conv(f"{attention}.0", width, width)
    return shapes


@pytest.mark.parametrize("name", SIZES)
def test_weights_come_in_by_the_authors_names(name):
    size = SIZES[name][0]
    network = build("plainusr", **size)
    names = ["block1", "blockm", "block2"] if len(network.widths) == 3 else [f"block{each}" for each in "12m34"]
    blocks = dict(zip(names, network.widths, strict=True))
    shapes = official_shapes(
        network.head.out_channels - 3, blocks, size.get("num_conv", 2), size.get("importance_feat")
    )
    official = {key: torch.randn(shape) for key, shape in shapes.items()}
    converted = convert("plainusr", official)
    defaults = {"num_feat": 16, "num_block": 2, "importance_feat": 0, "narrowing": 0, "num_conv": 2}
    assert converted.description.config == {"name": "plainusr", **defaults, **size}
    assert len(converted.tensors) == len(official)
    assert torch.equal(converted.tensors["blocks.blockm.body.2.bias"], official["blockm.body.2.bias"])
    assert torch.equal(converted.tensors["upsampler.0.weight"], official["tail.0.weight"])
