"""The contract that every block meets, and the counts of each kind by hand."""

import copy
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from search_spaces.blocks import SqueezeExcite
from search_spaces.kinds import BLOCKS, WITHOUT_NORM
from sr.deployment import deploy
from sr.measure.complexity import ModuleCalls

pytestmark = pytest.mark.numeric

FOLDING = ("branched_conv", "edge_conv", "wide_conv")
# What folds into one convolution refuses batch norm.
MADE = [(kind, norm) for kind in BLOCKS for norm in ("none", "batch") if kind not in WITHOUT_NORM or norm == "none"]
WIDTHS = (8, 20)

each_block = pytest.mark.parametrize(("kind", "norm"), MADE, ids=lambda value: value)
each_width = pytest.mark.parametrize("num_feat", WIDTHS)


def made(kind: str, num_feat: int, norm: str) -> nn.Module:
    """Build a block whose batch norms have statistics and scales of their own, so that each one shows."""
    block = BLOCKS[kind](num_feat, norm)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    return block.eval()


@dataclass(frozen=True)
class Counts:
    """What a block costs: parameters, activations of convolutions per pixel, and calls of convolutions."""

    params: int
    activations: float
    convs: int


def counted(block: nn.Module, num_feat: int) -> Counts:
    """Count a block over 8x8 pixels on the meta device."""
    on_meta = copy.deepcopy(block).to("meta")
    calls = ModuleCalls(on_meta)
    on_meta(torch.empty(1, num_feat, 8, 8, device="meta"))
    return Counts(sum(value.numel() for value in block.parameters()), calls.activations / 64, calls.convs)


@each_block
@each_width
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (8, 3)], ids=str)
def test_keeps_the_shape_and_the_input(kind: str, norm: str, num_feat: int, size: tuple[int, int]) -> None:
    feature = torch.randn(2, num_feat, *size)
    before = feature.clone()
    with torch.no_grad():
        after = made(kind, num_feat, norm)(feature)
    assert after.shape == feature.shape
    assert torch.isfinite(after).all()
    assert torch.equal(feature, before)


@each_block
def test_pictures_of_a_batch_do_not_see_each_other(kind: str, norm: str) -> None:
    block = made(kind, 8, norm).double()
    feature = torch.randn(3, 8, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        apart = torch.cat([block(feature[index : index + 1]) for index in range(3)])
        torch.testing.assert_close(block(feature), apart, rtol=0, atol=1e-10)


@each_block
@each_width
def test_gradients_reach_every_parameter_and_the_input(kind: str, norm: str, num_feat: int) -> None:
    block = made(kind, num_feat, norm)
    feature = torch.randn(2, num_feat, 6, 7, requires_grad=True)
    block(feature).square().mean().backward()
    untouched = [name for name, value in block.named_parameters() if value.grad is None or not value.grad.any()]
    assert untouched == []
    assert feature.grad is not None
    assert feature.grad.flatten(2).any(dim=2).all()


@each_block
def test_trains_with_batch_statistics(kind: str, norm: str) -> None:
    block = made(kind, 8, norm).train()
    feature = torch.randn(2, 8, 6, 6, requires_grad=True)
    block(feature).square().mean().backward()
    assert all(value.grad is not None and torch.isfinite(value.grad).all() for value in block.parameters())


@each_block
@each_width
def test_deployed_form_computes_the_same(kind: str, norm: str, num_feat: int) -> None:
    block = made(kind, num_feat, norm).double()
    feature = torch.randn(2, num_feat, 5, 7, dtype=torch.float64)
    deployed = deploy(block)
    with torch.no_grad():
        torch.testing.assert_close(deployed(feature), block(feature), rtol=0, atol=1e-10)
    assert not any(isinstance(module, nn.BatchNorm2d) or hasattr(module, "fold") for module in deployed.modules())


@each_block
def test_deploy_leaves_the_block_as_it_was(kind: str, norm: str) -> None:
    block = BLOCKS[kind](8, norm).train()
    before = {name: tensor.clone() for name, tensor in block.state_dict().items()}
    deploy(block)
    assert all(module.training for module in block.modules())
    assert block.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in block.state_dict().items())


@each_block
def test_works_on_meta(kind: str, norm: str) -> None:
    with torch.device("meta"):
        block = deploy(BLOCKS[kind](12, norm))
        feature = block(torch.empty(1, 12, 5, 7))
    assert feature.device.type == "meta"
    assert feature.shape == (1, 12, 5, 7)


@pytest.mark.parametrize("kind", WITHOUT_NORM)
def test_what_folds_refuses_batch_norm(kind: str) -> None:
    with pytest.raises(ValueError, match=f"a {kind} has no batch norm, got norm 'batch'"):
        BLOCKS[kind](16, "batch")


# By hand, for 16 channels c with biases: a convolution k x k has k*k*in*out/groups + out parameters.
BY_HAND = {
    "residual_relu": Counts(2 * (9 * 256 + 16), 2 * 16, 2),
    "residual_leaky": Counts(2 * (9 * 256 + 16), 2 * 16, 2),
    "inverted_x3": Counts((16 * 48 + 48) + (9 * 48 + 48) + (48 * 16 + 16), 48 + 48 + 16, 3),
    "inverted_x6": Counts((16 * 96 + 96) + (9 * 96 + 96) + (96 * 16 + 16), 96 + 96 + 16, 3),
    # The two convolutions of squeeze-excite, 32 to 8 to 32, run on a single pixel: 40 activations over 64 pixels.
    "mobilenetv3": Counts(544 + 320 + (32 * 8 + 8) + (8 * 32 + 32) + 528, 32 + 32 + 16 + 40 / 64, 5),
    "idle": Counts((8 * 24 + 24) + (9 * 24 + 24) + (24 * 8 + 8), 24 + 24 + 8, 3),
    "multiscale_idle": Counts(2 * ((5 * 256 + 16) + (5 * 144 + 12) + (5 * 64 + 8)), 2 * (16 + 12 + 8), 6),
    "branched_conv": Counts(9 * 256 + 16, 16, 1),
    "edge_conv": Counts(9 * 256 + 16, 16, 1),
    "wide_conv": Counts(9 * 256 + 16, 16, 1),
    "wide_residual": Counts(2 * (9 * 256 + 16), 2 * 16, 2),
    "symmetric_residual": Counts(2 * (9 * 256 + 16), 2 * 16, 2),
    "pixel_attention": Counts(2 * (9 * 256 + 16) + 256 + 16, 3 * 16, 3),
    "parameter_free_attention": Counts(3 * (9 * 256 + 16), 3 * 16, 3),
    # On 8x8 pixels the strided convolution writes 4x4 of 4 channels, and the pool leaves 2x2 for the next.
    "coarse_attention": Counts(
        2 * (9 * 256 + 16) + (16 * 4 + 4) + 2 * (9 * 16 + 4) + (16 + 4) + (4 * 16 + 16),
        2 * 16 + 4 + (4 * 16 + 4 * 4) / 64 + 4 + 16,
        7,
    ),
    "large_kernel": Counts((49 * 16 + 16) + (16 * 32 + 32) + (32 * 16 + 16), 16 + 32 + 16, 3),
    "identity": Counts(0, 0, 0),
}


@pytest.mark.parametrize("kind", BLOCKS)
def test_counts_of_the_deployed_block(kind: str) -> None:
    assert counted(deploy(BLOCKS[kind](16, "none")), 16) == BY_HAND[kind]


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("inverted_x3", Counts(27_200, 448, 3)),
        ("inverted_x6", Counts(54_272, 832, 3)),
        ("residual_relu", Counts(74_112, 128, 2)),
        ("residual_leaky", Counts(74_112, 128, 2)),
    ],
)
def test_counts_of_the_challenge_with_batch_norm(kind: str, counts: Counts) -> None:
    # The blocks of the challenge's one search entry, as its parameters and activations imply (AIM 2020 report).
    assert counted(BLOCKS[kind](64, "batch"), 64) == counts


def test_branched_conv_trains_five_branches_at_the_price_of_one() -> None:
    block = BLOCKS["branched_conv"](16, "none")
    assert sum(value.numel() for value in block.parameters()) == (9 + 3 + 3 + 1) * 256 + 16


def zeroed(kind: str, num_feat: int) -> nn.Module:
    """Build a block all of whose parameters are zero."""
    block = BLOCKS[kind](num_feat, "none")
    for value in block.parameters():
        nn.init.zeros_(value)
    return block


RESIDUAL = (
    "residual_relu",
    "residual_leaky",
    "inverted_x3",
    "inverted_x6",
    "mobilenetv3",
    "multiscale_idle",
    "wide_residual",
    "symmetric_residual",
    "pixel_attention",
    "parameter_free_attention",
    "coarse_attention",
    "large_kernel",
    "identity",
)


@pytest.mark.parametrize("kind", RESIDUAL)
def test_with_zero_weights_a_residual_block_passes_its_input_on(kind: str) -> None:
    feature = torch.randn(1, 12, 4, 5)
    assert torch.equal(zeroed(kind, 12)(feature), feature)


def test_idle_swaps_the_halves_and_works_on_the_second() -> None:
    feature = torch.randn(1, 12, 4, 5)
    idle, worked = feature.chunk(2, dim=1)
    assert torch.equal(zeroed("idle", 12)(feature), torch.cat([worked, idle], dim=1))
    after = BLOCKS["idle"](12, "none")(feature)
    assert torch.equal(after[:, 6:], idle)
    assert not torch.allclose(after[:, :6], worked)


@pytest.mark.parametrize("kind", FOLDING)
def test_what_folds_has_an_identity_branch(kind: str) -> None:
    feature = torch.randn(1, 12, 4, 5, dtype=torch.float64)
    after = zeroed(kind, 12).double()(feature)
    torch.testing.assert_close(after, nn.functional.leaky_relu(feature, 0.1), rtol=0, atol=1e-12)


def test_parameter_free_attention_weighs_by_an_odd_function_of_the_residual() -> None:
    block = BLOCKS["parameter_free_attention"](8, "none").double()
    # Where nothing comes in, what the convolutions add is alone.
    feature = torch.zeros(1, 8, 1, 1, dtype=torch.float64)
    nn.init.zeros_(block.get_parameter("conv3.weight"))
    bias = block.get_parameter("conv3.bias")
    with torch.no_grad():
        bias.copy_(torch.linspace(-1, 1, 8))
        after = block(feature)[0, :, 0, 0]
    torch.testing.assert_close(after, bias.detach() * torch.tanh(4 * bias.detach()) / 2, rtol=0, atol=1e-12)
    torch.testing.assert_close(after, after.flip(0), rtol=0, atol=1e-12)


def test_coarse_attention_sees_farther_than_its_convolutions() -> None:
    block = BLOCKS["coarse_attention"](8, "none").double()
    feature = torch.zeros(1, 8, 64, 64, dtype=torch.float64, requires_grad=True)
    block(feature + 0.5)[0, 0, 32, 32].backward()
    assert feature.grad is not None
    seen = feature.grad.abs().sum((0, 1)).nonzero()
    assert (seen - 32).abs().max() > 12


def by_definition(block: nn.Module, feature: Tensor, slope: float) -> Tensor:
    """Compute MSRResNet's block from its weights alone."""
    parts = dict(block.named_parameters())
    hidden = nn.functional.conv2d(feature, parts["conv1.weight"], parts["conv1.bias"], padding=1)
    hidden = torch.where(hidden > 0, hidden, slope * hidden)
    return feature + nn.functional.conv2d(hidden, parts["conv2.weight"], parts["conv2.bias"], padding=1)


@pytest.mark.parametrize(("kind", "slope"), [("residual_relu", 0.0), ("residual_leaky", 0.1)])
def test_residual_block_by_definition(kind: str, slope: float) -> None:
    block = BLOCKS[kind](8, "none").double()
    feature = torch.randn(2, 8, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(block(feature), by_definition(block, feature, slope), rtol=0, atol=1e-10)


def test_squeeze_excite_weighs_whole_channels_between_0_and_1() -> None:
    feature = torch.rand(2, 16, 4, 4, dtype=torch.float64) + 0.5
    weight = SqueezeExcite(16).double()(feature) / feature
    torch.testing.assert_close(weight, weight[:, :, :1, :1].expand_as(weight), rtol=0, atol=1e-12)
    assert ((weight >= 0) & (weight <= 1)).all()
