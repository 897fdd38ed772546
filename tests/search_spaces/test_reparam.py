"""Folding: the trained function at the cost of a plain convolution."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from search_spaces.reparam import BranchedConv3x3, ConvNorm, DilutedConv
from sr.deployment import deploy

pytestmark = pytest.mark.numeric

widths = st.integers(1, 12)
sizes = st.tuples(st.integers(1, 7), st.integers(1, 7))


def random_input(channels: int, size: tuple[int, int]) -> Tensor:
    """Return two pictures of normal noise in float64."""
    return torch.randn(2, channels, *size, dtype=torch.float64)


def sum_of_branches(branched: BranchedConv3x3, feature: Tensor) -> Tensor:
    """Run each branch apart, by the kernel and padding that its name says."""
    total = F.conv2d(feature, branched.square.weight, branched.square.bias, padding=1)
    total = total + F.conv2d(feature, branched.column.weight, padding=(1, 0))
    total = total + F.conv2d(feature, branched.row.weight, padding=(0, 1))
    total = total + F.conv2d(feature, branched.point.weight)
    return total + feature if branched.identity else total


@settings(deadline=None, max_examples=40)
@given(widths, widths, sizes, st.booleans())
def test_fold_equals_the_sum_of_the_branches(
    in_channels: int, out_channels: int, size: tuple[int, int], identity: bool
) -> None:
    out_channels = in_channels if identity else out_channels
    branched = BranchedConv3x3(in_channels, out_channels, identity=identity).double()
    feature = random_input(in_channels, size)
    with torch.no_grad():
        folded = branched.fold()(feature)
        torch.testing.assert_close(folded, sum_of_branches(branched, feature), rtol=0, atol=1e-10)
        torch.testing.assert_close(folded, branched(feature), rtol=0, atol=1e-10)


def test_each_branch_shows_in_the_fold() -> None:
    branched = BranchedConv3x3(4, 4, identity=True)
    shapes = {"square": (3, 3), "column": (3, 1), "row": (1, 3), "point": (1, 1)}
    for name, shape in shapes.items():
        for value in branched.parameters():
            nn.init.zeros_(value)
        part = branched.get_submodule(name)
        assert isinstance(part, nn.Conv2d)
        assert part.kernel_size == shape
        nn.init.ones_(part.weight)
        changed = branched.fold().weight.detach() - F.pad(torch.eye(4)[:, :, None, None], (1, 1, 1, 1))
        assert int(changed.sum()) == 16 * shape[0] * shape[1], name


def test_fold_is_a_plain_convolution_apart_from_the_branches() -> None:
    branched = BranchedConv3x3(6, 6, identity=True).double()
    folded = branched.fold()
    assert type(folded) is nn.Conv2d
    assert folded.weight.dtype == torch.float64
    assert folded.weight.requires_grad
    before = branched.kernel().detach().clone()
    nn.init.zeros_(folded.weight)
    assert torch.equal(branched.kernel(), before)


def test_gradients_reach_every_branch() -> None:
    branched = BranchedConv3x3(3, 5, identity=False)
    branched(torch.randn(1, 3, 4, 4)).square().sum().backward()
    assert all(value.grad is not None and value.grad.any() for value in branched.parameters())


def test_identity_needs_equal_widths() -> None:
    with pytest.raises(ValueError, match="an identity branch needs equal widths, got 3 and 5"):
        BranchedConv3x3(3, 5, identity=True)


@settings(deadline=None, max_examples=30)
@given(widths, st.integers(1, 3), sizes, st.booleans(), st.booleans())
def test_conv_norm_folds_to_its_eval_form(
    channels: int, multiple: int, size: tuple[int, int], depthwise: bool, bias: bool
) -> None:
    plain = nn.Conv2d(channels, channels * multiple, 3, padding=1, groups=channels if depthwise else 1, bias=bias)
    normed = ConvNorm(plain).double()
    # Statistics and scales of its own, taken from data in training form.
    normed.train()(3 + 2 * random_input(channels, (8, 8)))
    nn.init.normal_(normed.get_submodule("1").get_parameter("weight"))
    nn.init.normal_(normed.get_submodule("1").get_parameter("bias"))
    feature = random_input(channels, size)
    folded = deploy(normed)
    assert type(folded) is nn.Conv2d
    with torch.no_grad():
        torch.testing.assert_close(folded(feature), normed.eval()(feature), rtol=0, atol=1e-10)


@settings(deadline=None, max_examples=30)
@given(widths, widths, sizes)
def test_without_its_point_the_fold_is_three_kernels(
    in_channels: int, out_channels: int, size: tuple[int, int]
) -> None:
    branched = BranchedConv3x3(in_channels, out_channels, identity=False, point=False).double()
    assert {name for name, _ in branched.named_parameters()} == {
        "square.weight", "square.bias", "column.weight", "row.weight",
    }  # fmt: skip
    feature = random_input(in_channels, size)
    with torch.no_grad():
        expected = F.conv2d(feature, branched.square.weight, branched.square.bias, padding=1)
        expected = expected + F.conv2d(feature, branched.column.weight, padding=(1, 0))
        expected = expected + F.conv2d(feature, branched.row.weight, padding=(0, 1))
        torch.testing.assert_close(branched.fold()(feature), expected, rtol=0, atol=1e-10)


def sum_of_bases(diluted: DilutedConv, feature: Tensor) -> Tensor:
    """Run each base apart, times its share."""
    total = diluted.bias.view(1, -1, 1, 1)
    for share, base in zip(diluted.mix, diluted.bases, strict=True):
        total = total + share * F.conv2d(feature, base, padding=base.shape[-1] // 2, groups=diluted.groups)
    return total


@settings(deadline=None, max_examples=40)
@given(widths, widths, sizes, st.integers(1, 4), st.sampled_from([1, 3, 5]), st.integers(1, 3))
def test_a_diluted_convolution_folds_to_the_sum_of_its_bases(
    in_channels: int, out_channels: int, size: tuple[int, int], bases: int, kernel_size: int, groups: int
) -> None:
    diluted = DilutedConv(in_channels * groups, out_channels * groups, kernel_size, bases=bases, groups=groups).double()
    nn.init.normal_(diluted.mix)
    nn.init.normal_(diluted.bias)
    feature = random_input(in_channels * groups, size)
    with torch.no_grad():
        folded = deploy(diluted)
        assert type(folded) is nn.Conv2d
        assert folded.groups == groups
        torch.testing.assert_close(folded(feature), sum_of_bases(diluted, feature), rtol=0, atol=1e-10)
        torch.testing.assert_close(folded(feature), diluted(feature), rtol=0, atol=1e-10)


def test_growing_keeps_the_bases_and_evens_the_shares() -> None:
    diluted = DilutedConv(4, 6, 3, bases=3).double()
    nn.init.normal_(diluted.mix)
    before = diluted.bases.detach().clone()
    diluted.grow(2)
    assert diluted.bases.shape == (5, 6, 4, 3, 3)
    assert diluted.bases.dtype == torch.float64
    assert torch.equal(diluted.bases[:3], before)
    assert diluted.mix.tolist() == [0.2] * 5
    # Xavier's distribution: the bases are as large as those of any other convolution of these widths.
    assert float(diluted.bases.detach()[3:].abs().max()) <= (6 / (9 * (4 + 6))) ** 0.5
    diluted(random_input(4, (5, 5))).square().sum().backward()
    assert all(value.grad is not None and value.grad.any() for value in diluted.parameters())


def test_a_diluted_convolution_has_and_grows_by_at_least_one_base() -> None:
    with pytest.raises(ValueError, match="at least one base, got 0"):
        DilutedConv(2, 2, 3, bases=0)
    with pytest.raises(ValueError, match="at least one base, got 0"):
        DilutedConv(2, 2, 3, bases=1).grow(0)
