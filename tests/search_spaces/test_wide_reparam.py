"""Folding what trained wide, deep or along edges: the sum of the branches at the cost of a plain convolution."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from search_spaces.wide_reparam import EDGE_FILTERS, Conv3XC, EdgeOrientedConv, ExpandedResidualConv, conv3xc
from sr.deployment import deploy

pytestmark = pytest.mark.numeric

widths = st.integers(1, 8)
ratios = st.integers(1, 3)
sizes = st.tuples(st.integers(1, 7), st.integers(1, 7))


def noise(channels, size):
    return torch.randn(2, channels, *size, dtype=torch.float64)


def padded_with_bias(conv, feature):
    """Run a 1x1 convolution and pad its output with its bias, as the blocks' authors did."""
    border = 0 if conv.bias is None else conv.bias[:, None, None]
    return F.pad(conv(feature) - border, (1, 1, 1, 1)) + border


def assert_folds_to(block, feature, expected):
    with torch.no_grad():
        folded = deploy(block)
        assert type(folded) is nn.Conv2d
        torch.testing.assert_close(folded(feature), expected, rtol=0, atol=1e-10)
        torch.testing.assert_close(block(feature), expected, rtol=0, atol=1e-10)


@settings(deadline=None, max_examples=40)
@given(widths, widths, ratios, sizes, st.booleans())
def test_conv3xc_is_its_chain_on_a_zero_padded_input_plus_a_1x1(in_channels, out_channels, ratio, size, bias):
    block = Conv3XC(in_channels, out_channels, expand_ratio=ratio, bias=bias).double()
    feature = noise(in_channels, size)
    with torch.no_grad():
        chain = block.project(block.square(block.expand(F.pad(feature, (1, 1, 1, 1)))))
        assert_folds_to(block, feature, chain + block.point(feature))
    assert (deploy(block).bias is not None) == bias


@pytest.mark.parametrize("bias", [True, False])
def test_the_gradients_of_a_folded_chain_are_those_of_its_products(bias):
    block = Conv3XC(3, 4, bias=bias).double()
    names = [name for name, _ in block.named_parameters() if not name.startswith("point")]
    feature = torch.randn(1, 3, 4, 5, dtype=torch.float64)

    def run(*values):
        return torch.func.functional_call(block, dict(zip(names, values, strict=True)), feature)

    values = tuple(block.get_parameter(name).detach().requires_grad_() for name in names)
    assert torch.autograd.gradcheck(run, values)


def test_a_chain_is_folded_in_its_own_precision_whatever_autocast_is_on():
    block = ExpandedResidualConv(4)
    with torch.autocast("cpu", torch.bfloat16):
        kernel, bias = block.folded()
        assert block(torch.rand(1, 4, 5, 5)).dtype == torch.bfloat16
    assert kernel.dtype == bias.dtype == torch.float32
    torch.testing.assert_close(kernel, block.folded()[0], rtol=0, atol=0)


@settings(deadline=None, max_examples=40)
@given(widths, ratios, sizes)
def test_expanded_residual_conv_is_its_chain_with_both_identities(width, ratio, size):
    block = ExpandedResidualConv(width, expand_ratio=ratio).double()
    feature = noise(width, size)
    with torch.no_grad():
        wide = block.square(padded_with_bias(block.expand, feature)) + block.expand(feature)
        assert_folds_to(block, feature, block.project(wide) + feature)


@settings(deadline=None, max_examples=40)
@given(widths, widths, ratios, sizes, st.booleans())
def test_edge_oriented_conv_is_the_sum_of_its_branches(in_channels, out_channels, ratio, size, shortcuts):
    out_channels = in_channels if shortcuts else out_channels
    block = EdgeOrientedConv(in_channels, out_channels, expand_ratio=ratio, shortcuts=shortcuts).double()
    nn.init.normal_(block.scales)
    feature = noise(in_channels, size)
    with torch.no_grad():
        total = block.square(F.pad(feature, (1, 1, 1, 1)))
        total = total + block.squeeze(padded_with_bias(block.expand, feature))
        before = block.before_filters(feature).chunk(len(EDGE_FILTERS), dim=1)
        for part, scale, edge in zip(before, block.scales, EDGE_FILTERS, strict=True):
            kernel = scale[:, None, None, None] * torch.tensor(edge, dtype=torch.float64)
            total = total + F.conv2d(part, kernel, padding=1, groups=out_channels)
        if shortcuts:
            total = total + block.point(feature) + feature
        assert_folds_to(block, feature, total)


def test_edge_filters_see_no_flat_picture():
    filters = torch.tensor(EDGE_FILTERS)
    assert torch.equal(filters.sum((1, 2)), torch.zeros(3))
    assert torch.equal(filters[0], -filters[0].flip(1))
    assert torch.equal(filters[1], filters[0].T)
    assert torch.equal(filters[2], filters[2].T)


@pytest.mark.parametrize(
    ("block", "in_channels"),
    [
        (Conv3XC(3, 5), 3),
        (Conv3XC(3, 5, bias=False), 3),
        (ExpandedResidualConv(4), 4),
        (EdgeOrientedConv(3, 5), 3),
        (EdgeOrientedConv(4, 4, shortcuts=True), 4),
    ],
)
def test_gradients_reach_every_branch_and_folding_leaves_it(block, in_channels):
    before = {key: value.clone() for key, value in block.state_dict().items()}
    nn.init.zeros_(block.fold().weight)
    assert all(torch.equal(value, before[key]) for key, value in block.state_dict().items())
    block(torch.randn(1, in_channels, 4, 4)).square().sum().backward()
    assert all(value.grad is not None and value.grad.any() for value in block.parameters())


def test_conv3xc_is_plain_where_not_branched():
    assert type(conv3xc(3, 4, branched=False)) is nn.Conv2d
    assert type(conv3xc(3, 4, branched=True)) is Conv3XC
    for branched in (False, True):
        conv = deploy(conv3xc(3, 4, branched=branched, bias=False))
        assert (conv.weight.shape, conv.bias) == ((4, 3, 3, 3), None)


def test_shortcuts_need_equal_widths():
    with pytest.raises(ValueError, match="shortcuts need equal widths, got 3 and 5"):
        EdgeOrientedConv(3, 5, shortcuts=True)
