"""3x3 convolutions that train wider, deeper or along edges, and fold into a plain one: SPAN's, FMEN's, ECBSR's.

Each is linear in its input. Their authors pad the map between a 1x1 and a 3x3 convolution with the 1x1's bias, which is
what the 1x1 makes of a zero-padded input: so the folded kernel computes the same, borders included, and training too
runs the folded kernel, the whole block at the price of one convolution.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EDGE_FILTERS = (
    ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0)),  # Sobel, across
    ((1.0, 2.0, 1.0), (0.0, 0.0, 0.0), (-1.0, -2.0, -1.0)),  # Sobel, down
    ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0)),  # Laplacian
)


class Conv3XC(nn.Module):
    """A 3x3 convolution trained as 1x1, 3x3 and 1x1 in a row, `expand_ratio` times as wide, plus a parallel 1x1.

    Source: Wan, Yu, Wu, Chen, et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution", CVPR
    Workshops 2024.
    """

    def __init__(self, in_channels: int, out_channels: int, *, expand_ratio: int = 2, bias: bool = True) -> None:
        super().__init__()
        self.expand = nn.Conv2d(in_channels, expand_ratio * in_channels, 1, bias=bias)
        self.square = nn.Conv2d(expand_ratio * in_channels, expand_ratio * out_channels, 3, bias=bias)
        self.project = nn.Conv2d(expand_ratio * out_channels, out_channels, 1, bias=bias)
        self.point = nn.Conv2d(in_channels, out_channels, 1, bias=bias)

    def folded(self) -> tuple[Tensor, Tensor | None]:
        """Return the folded weight (out, in, 3, 3) and bias (out,), None where the branches have none."""
        weights = [conv.weight for conv in self.parts()]
        biases = [conv.bias for conv in self.parts() if conv.bias is not None]
        return fold_conv3xc(weights, biases)

    def parts(self) -> tuple[nn.Conv2d, nn.Conv2d, nn.Conv2d, nn.Conv2d]:
        """Return the convolutions that it folds, as `fold_conv3xc` takes them."""
        return self.expand, self.square, self.project, self.point

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, out, h, w)."""
        return F.conv2d(feature, *self.folded(), padding=1)

    def fold(self) -> nn.Conv2d:
        """Return the single convolution that computes the same."""
        return plain_conv(*self.folded())


class ExpandedResidualConv(nn.Module):
    """A 3x3 convolution trained as 1x1 to `expand_ratio` times the width, 3x3 beside the identity, 1x1 back, plus x.

    Source: Du, Liu, Liu, Tang, Wu, Fu, "Fast and Memory-Efficient Network Towards Efficient Image Super-Resolution",
    CVPR Workshops 2022 (its RRRB).
    """

    def __init__(self, num_feat: int, *, expand_ratio: int = 2) -> None:
        super().__init__()
        wide = expand_ratio * num_feat
        self.expand = nn.Conv2d(num_feat, wide, 1)
        self.square = nn.Conv2d(wide, wide, 3)
        self.project = nn.Conv2d(wide, num_feat, 1)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return the folded weight (num_feat, num_feat, 3, 3) and bias (num_feat,)."""
        square = self.square.weight + _identity(self.square.weight)
        kernel, bias = _fold_chain(self.expand, square, self.square.bias, self.project)
        assert self.project.bias is not None
        return kernel + _identity(kernel), bias + self.project.bias

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        return F.conv2d(feature, *self.folded(), padding=1)

    def fold(self) -> nn.Conv2d:
        """Return the single convolution that computes the same."""
        return plain_conv(*self.folded())


class EdgeOrientedConv(nn.Module):
    """A 3x3 convolution trained as the sum of a 3x3, a 1x1 and 3x3 in a row, and three 1x1 each before an edge filter.

    The filters are fixed, their scales per channel are learned.

    Source: Zhang, Zeng, Zhang, "Edge-oriented Convolution Block for Real-time Super Resolution on Mobile Devices", ACM
    Multimedia 2021; with shortcuts: Wang, "Edge-enhanced Feature Distillation Network", CVPR Workshops 2022.

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        expand_ratio: Width between the 1x1 and the 3x3 over `out_channels`.
        shortcuts: Whether a 1x1 and the identity are added, as EFDN does.

    Raises:
        ValueError: For shortcuts on unequal widths.
    """

    def __init__(self, in_channels: int, out_channels: int, *, expand_ratio: int = 2, shortcuts: bool = False) -> None:
        super().__init__()
        if shortcuts and in_channels != out_channels:
            raise ValueError(f"shortcuts need equal widths, got {in_channels} and {out_channels}")
        self.square = nn.Conv2d(in_channels, out_channels, 3)
        self.expand = nn.Conv2d(in_channels, expand_ratio * out_channels, 1)
        self.squeeze = nn.Conv2d(expand_ratio * out_channels, out_channels, 3)
        # Without biases: the filters sum to zero, so they take away any before them, and one behind them would only
        # add to the biases above.
        self.before_filters = nn.Conv2d(in_channels, len(EDGE_FILTERS) * out_channels, 1, bias=False)
        self.scales = nn.Parameter(1e-3 * torch.randn(len(EDGE_FILTERS), out_channels))
        self.point = nn.Conv2d(in_channels, out_channels, 1, bias=False) if shortcuts else None

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return the folded weight (out, in, 3, 3) and bias (out,)."""
        points = self.before_filters.weight.view(*self.scales.shape, -1)
        filters = points.new_tensor(EDGE_FILTERS)
        edges = torch.einsum("fo,foi,fhw->oihw", self.scales, points, filters)
        kernel = self.square.weight + _behind_point(self.squeeze.weight, self.expand.weight) + edges
        if self.point is not None:
            kernel = kernel + _centred(self.point.weight) + _identity(kernel)
        assert self.square.bias is not None
        assert self.expand.bias is not None
        return kernel, self.square.bias + _constant_through(self.squeeze, self.expand.bias)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, out, h, w)."""
        return F.conv2d(feature, *self.folded(), padding=1)

    def fold(self) -> nn.Conv2d:
        """Return the single convolution that computes the same."""
        return plain_conv(*self.folded())


def conv3xc(in_channels: int, out_channels: int, *, branched: bool, bias: bool = True) -> nn.Module:
    """Return a same-padded 3x3 convolution: a Conv3XC to train where `branched`, else the plain one it folds into."""
    if branched:
        return Conv3XC(in_channels, out_channels, bias=bias)
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias)


def fold_conv3xc(weights: Sequence[Tensor], biases: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Fold the branches of one Conv3XC, or of many in one dimension before all others.

    Args:
        weights: (..., mid, in, 1, 1), (..., wide, mid, 3, 3), (..., out, wide, 1, 1) and (..., out, in, 1, 1), as of
            `Conv3XC.parts`.
        biases: Theirs, each (..., its first dimension), or none.

    Returns:
        The weight (..., out, in, 3, 3), and the bias (..., out), None without biases.
    """
    expand, square, project, point = weights
    first, second, third, fourth = biases or (None,) * len(weights)
    kernel, bias = _FoldChain.apply(expand, square, project, first, second)  # type: ignore[no-untyped-call]
    kernel = kernel + _centred(point)
    return kernel, None if third is None or fourth is None else bias + third + fourth


def _fold_chain(
    expand: nn.Conv2d, square: Tensor, square_bias: Tensor | None, project: nn.Conv2d
) -> tuple[Tensor, Tensor]:
    """Return the kernel (out, in, 3, 3) of a 1x1, a 3x3 and a 1x1 convolution, and what comes of the first two biases.

    square: (wide, mid, 3, 3).
    """
    kernel, bias = _FoldChain.apply(expand.weight, square, project.weight, expand.bias, square_bias)  # type: ignore[no-untyped-call]
    return kernel, bias


class _FoldChain(torch.autograd.Function):
    """Folds a chain of 1x1, 3x3 and 1x1 convolutions in one step forth and one back.

    With an operation for each product and sum autograd takes longer over these small tensors than over the
    convolution itself.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - what autograd keeps between both directions
        expand: Tensor,
        square: Tensor,
        project: Tensor,
        expand_bias: Tensor | None,
        square_bias: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return the kernel (..., out, in, 3, 3) and what comes of both biases, (..., out), zeros without them.

        Args:
            ctx: Autograd's.
            expand: (..., mid, in, 1, 1).
            square: (..., wide, mid, 3, 3).
            project: (..., out, wide, 1, 1).
            expand_bias: (..., mid).
            square_bias: (..., wide), given where `expand_bias` is.
        """
        with _in_full_precision(square.device):
            first, last = expand[..., 0, 0], project[..., 0, 0]
            # (out, mid, 9), then (out, 9, in).
            behind = (last @ square.flatten(-3)).unflatten(-1, (first.shape[-2], -1))
            by_tap = (behind.mT.flatten(-3, -2) @ first).unflatten(-2, (last.shape[-2], -1))
            wide = None
            if expand_bias is not None and square_bias is not None:
                wide = _times(square.sum((-2, -1)), expand_bias) + square_bias
            bias = last.new_zeros(last.shape[:-1]) if wide is None else _times(last, wide)
        ctx.save_for_backward(first, square, last, expand_bias, behind, wide)
        return by_tap.mT.unflatten(-1, square.shape[-2:]).contiguous(), bias

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Return the gradients of what `forward` is given."""
        kernel, bias = gradients
        first, square, last, expand_bias, behind, wide = ctx.saved_tensors
        # (out * 9, in), and (out, mid * 9).
        by_tap = kernel.flatten(-2).mT.flatten(-3, -2)
        inner = (by_tap @ first.mT).unflatten(-2, (last.shape[-2], -1)).mT.flatten(-2)
        to_first = behind.transpose(-3, -2).flatten(-2) @ by_tap
        to_last = inner @ square.flatten(-3).mT
        to_square = (last.mT @ inner).view_as(square)
        if wide is None:
            return to_first[..., None, None], to_square, to_last[..., None, None], None, None
        to_wide = _times(last.mT, bias)
        to_last = to_last + bias[..., :, None] * wide[..., None, :]
        to_square = to_square + (to_wide[..., :, None] * expand_bias[..., None, :])[..., None, None]
        to_expand_bias = _times(square.sum((-2, -1)).mT, to_wide)
        return to_first[..., None, None], to_square, to_last[..., None, None], to_expand_bias, to_wide


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Return the product of matrices (..., m, n) and vectors (..., n)."""
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def _in_full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which products stay in the precision of their factors, whatever autocast is on."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def _behind_point(square: Tensor, point: Tensor) -> Tensor:
    """Return the kernel (out, in, 3, 3) of a 1x1 convolution (mid, in, 1, 1) and then a 3x3 one (out, mid, 3, 3)."""
    return torch.einsum("omhw,mi->oihw", square, point[:, :, 0, 0])


def _centred(point: Tensor) -> Tensor:
    """Return a 1x1 kernel (..., out, in, 1, 1) as the 3x3 one that computes the same."""
    return F.pad(point, (1, 1, 1, 1))


def _identity(like: Tensor) -> Tensor:
    """Return the 3x3 kernel, shaped as `like`, (c, c, 3, 3), that passes its input on."""
    return _centred(torch.eye(like.shape[0], dtype=like.dtype, device=like.device)[:, :, None, None])


def _constant_through(conv: nn.Conv2d, constant: Tensor) -> Tensor:
    """Return what `conv` makes, without padding, of a map that holds `constant`, (in,), everywhere: (out,)."""
    passed = conv.weight.sum((2, 3)) @ constant
    return passed if conv.bias is None else passed + conv.bias


def plain_conv(kernel: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """Return the same-padded convolution of a kernel (out, in, 3, 3) and a bias (out,), apart from where they came."""
    conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1, bias=bias is not None)
    conv.weight = nn.Parameter(kernel.detach().clone())
    if bias is not None:
        conv.bias = nn.Parameter(bias.detach().clone())
    return conv
