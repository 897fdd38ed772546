"""The blocks that a search places: each maps (n, c, h, w) to the same shape and knows nothing of its neighbours.

A block is made by `search_spaces.kinds.BLOCKS[kind](num_feat, norm)`; norm is a key of `NORMALISED`. Adding one is a
class here, a line there and a test. Activations that the challenge's counter saw as modules are modules here, the
others functional.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.folding import WideConv
from search_spaces.reparam import BranchedConv3x3, ConvNorm
from search_spaces.symmetry import SymmetricConv3XC
from search_spaces.wide_reparam import EdgeOrientedConv, ExpandedResidualConv

LEAKY_SLOPE = 0.1
_SPAN_RANGE = 8


def conv(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int],
    norm: str = "none",
    *,
    groups: int = 1,
    bias: bool = True,
) -> nn.Module:
    """Return a same-padded convolution, followed by what `norm` says."""
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    plain = nn.Conv2d(
        in_channels, out_channels, (height, width), padding=(height // 2, width // 2), groups=groups, bias=bias
    )
    return NORMALISED[norm](plain)


NORMALISED: dict[str, Callable[[nn.Conv2d], nn.Module]] = {"none": lambda plain: plain, "batch": ConvNorm}


class Residual(nn.Module):
    """MSRResNet's block: conv3x3, activation, conv3x3, plus the input; `leaky` takes leaky ReLU for ReLU."""

    def __init__(self, num_feat: int, norm: str, *, leaky: bool) -> None:
        super().__init__()
        self.conv1 = conv(num_feat, num_feat, 3, norm)
        self.conv2 = conv(num_feat, num_feat, 3, norm)
        self.act = nn.LeakyReLU(LEAKY_SLOPE, inplace=True) if leaky else None

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        hidden = self.conv1(feature)
        hidden = self.act(hidden) if self.act is not None else F.relu(hidden, inplace=True)
        return self.conv2(hidden).add_(feature)  # type: ignore[no-any-return]

    def adding_weights(self) -> list[Tensor]:
        """Return the weights that what is added to the input is proportional to; with a norm there are none."""
        return [self.conv2.weight] if isinstance(self.conv2, nn.Conv2d) else []


class WideResidual(nn.Module):
    """MSRResNet's block of convolutions that train as SPAN's, twice as wide between two of 1x1, and fold into one.

    `symmetric` takes those that turn and mirror with the picture; see `search_spaces.symmetry`.
    """

    def __init__(self, num_feat: int, norm: str, *, symmetric: bool) -> None:
        super().__init__()
        _refuse_norm("symmetric_residual" if symmetric else "wide_residual", norm)
        self.conv1, self.conv2 = (SymmetricConv3XC(num_feat) if symmetric else WideConv(num_feat) for _ in range(2))
        self.act = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        return self.conv2(self.act(self.conv1(feature))).add_(feature)  # type: ignore[no-any-return]

    def wide_convs(self) -> list[WideConv]:
        """Return its convolutions in training form; none where they are folded."""
        return [conv for conv in (self.conv1, self.conv2) if isinstance(conv, WideConv)]

    def adding_weights(self) -> list[Tensor]:
        """Return the weights that what is added to the input is proportional to, while biases are zero."""
        return [self.conv2.project.weight, self.conv2.point.weight]


class InvertedResidual(nn.Module):
    """MobileNetV2's block (Sandler et al., CVPR 2018): expand 1x1, depthwise 3x3, project 1x1, plus the input."""

    def __init__(self, num_feat: int, norm: str, *, expand_ratio: int) -> None:
        super().__init__()
        hidden = expand_ratio * num_feat
        bias = norm == "none"  # batch norm brings its own
        self.expand = conv(num_feat, hidden, 1, norm, bias=bias)
        self.depthwise = conv(hidden, hidden, 3, norm, groups=hidden, bias=bias)
        self.project = conv(hidden, num_feat, 1, norm, bias=bias)
        self.act = nn.ReLU6(inplace=True)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        hidden = self.act(self.depthwise(self.act(self.expand(feature))))
        return self.project(hidden).add_(feature)  # type: ignore[no-any-return]


class SqueezeExcite(nn.Module):
    """Weighs channels by what their means say (Hu et al., CVPR 2018), with MobileNetV3's hard sigmoid."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // reduction, 1)
        self.restore = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        weight = self.restore(F.relu(self.reduce(feature.mean((2, 3), keepdim=True))))
        return feature * F.hardsigmoid(weight)


class MobileNetV3(nn.Module):
    """MobileNetV3's block (Howard et al., ICCV 2019).

    Expand 1x1, h-swish, depthwise 3x3, squeeze-excite, h-swish, project 1x1, plus the input. Expansion 2, as
    SAM_SR_LITE took for super-resolution in the challenge.
    """

    def __init__(self, num_feat: int, norm: str) -> None:
        super().__init__()
        hidden = 2 * num_feat
        self.expand = conv(num_feat, hidden, 1, norm)
        self.depthwise = conv(hidden, hidden, 3, norm, groups=hidden)
        self.squeeze_excite = SqueezeExcite(hidden)
        self.project = conv(hidden, num_feat, 1, norm)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        hidden = self.squeeze_excite(self.depthwise(F.hardswish(self.expand(feature))))
        return self.project(F.hardswish(hidden)).add_(feature)  # type: ignore[no-any-return]


class Idle(nn.Module):
    """The IdleBlock (Xu et al., arXiv 1911.08609): half of the channels pass untouched, half go through an MBConv x3.

    The processed half comes first in the output, so that consecutive blocks work on alternating halves.
    """

    def __init__(self, num_feat: int, norm: str) -> None:
        super().__init__()
        self.active = InvertedResidual(num_feat // 2, norm, expand_ratio=3)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        idle, worked = feature.chunk(2, dim=1)
        return torch.cat([self.active(worked), idle], dim=1)


class AsymmetricResidual(nn.Module):
    """conv 1x5, leaky ReLU, conv 5x1, plus the input: the field of two 3x3 at 10/18 of their weights."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.row = conv(channels, channels, (1, 5), norm)
        self.column = conv(channels, channels, (5, 1), norm)
        self.act = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        return self.column(self.act(self.row(feature))).add_(feature)  # type: ignore[no-any-return]


class MultiScaleIdle(nn.Module):
    """IdleSR's block: asymmetric residuals on all, three quarters and half of the channels; what is left out idles.

    A reconstruction from the AIM 2020 report, which draws no layer table.
    """

    def __init__(self, num_feat: int, norm: str) -> None:
        super().__init__()
        self.quarter = num_feat // 4
        self.stages = nn.ModuleList(AsymmetricResidual(num_feat - idle * self.quarter, norm) for idle in range(3))

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        kept = []
        for stage in self.stages[:-1]:
            feature = stage(feature)
            kept.append(feature[:, : self.quarter])
            feature = feature[:, self.quarter :]
        return torch.cat([*kept, self.stages[-1](feature)], dim=1)


class FoldingConv(nn.Module):
    """One 3x3 convolution that trains as several branches, among them the identity, and a leaky ReLU.

    Args:
        kind: Whose block it is.
        norm: That of the architecture.
        branches: Maps (n, c, h, w) to the same shape and folds into a single convolution.

    Raises:
        ValueError: For a norm: the branches have no place for one.
    """

    def __init__(self, kind: str, norm: str, branches: nn.Module) -> None:
        super().__init__()
        _refuse_norm(kind, norm)
        self.conv = branches
        self.act = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        return self.act(self.conv(feature))  # type: ignore[no-any-return]


def branched_conv(num_feat: int, norm: str) -> nn.Module:
    """Return a convolution of square, row, column and point branches."""
    return FoldingConv("branched_conv", norm, BranchedConv3x3(num_feat, num_feat, identity=True))


def edge_conv(num_feat: int, norm: str) -> nn.Module:
    """Return ECBSR's convolution with EFDN's shortcuts: a wider chain and edge filters beside the plain one."""
    return FoldingConv("edge_conv", norm, EdgeOrientedConv(num_feat, num_feat, shortcuts=True))


def wide_conv(num_feat: int, norm: str) -> nn.Module:
    """Return FMEN's convolution: twice as wide between two of 1x1."""
    return FoldingConv("wide_conv", norm, ExpandedResidualConv(num_feat))


class PixelAttention(nn.Module):
    """A residual branch of two 3x3 convolutions, each value of it times a weight that a 1x1 convolution gives for it.

    Source of the attention: Zhao, Kong, He, Qiao, Dong, "Efficient Image Super-Resolution Using Pixel Attention", ECCV
    Workshops 2020.
    """

    def __init__(self, num_feat: int, norm: str) -> None:
        super().__init__()
        self.conv1 = conv(num_feat, num_feat, 3, norm)
        self.conv2 = conv(num_feat, num_feat, 3, norm)
        self.weigh = nn.Conv2d(num_feat, num_feat, 1)
        self.act = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        residual = self.conv2(self.act(self.conv1(feature)))
        return feature + residual * torch.sigmoid(self.weigh(residual))  # type: ignore[no-any-return]


class ParameterFreeAttention(nn.Module):
    """SPAN's attention: what three 3x3 convolutions add, weighed by an odd function of itself, beside the identity.

    SPAN has no identity around its block, and several in a row would pass nothing on at first. What the sigmoid sees is
    `_SPAN_RANGE` times ours, for SPAN's features are hundreds of times larger, its weights near a half either way.

    Source: Wan, Yu, Wu, Chen, et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution", CVPR
    Workshops 2024.
    """

    def __init__(self, num_feat: int, norm: str) -> None:
        super().__init__()
        self.conv1 = conv(num_feat, num_feat, 3, norm)
        self.conv2 = conv(num_feat, num_feat, 3, norm)
        self.conv3 = conv(num_feat, num_feat, 3, norm)
        self.act = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        residual = self.conv3(self.act(self.conv2(self.act(self.conv1(feature)))))
        weights = torch.sigmoid(_SPAN_RANGE * residual) - 0.5
        return feature + (feature + residual) * weights  # type: ignore[no-any-return]


class CoarseAttention(nn.Module):
    """RLFN's enhanced spatial attention behind a residual branch of two 3x3 convolutions, a quarter as wide.

    Its pooling is padded, so that pictures of any size have something to pool.

    Source: Kong, Li, Liu, Liu, He, Bai, Chen, Fu, "Residual Local Feature Network for Efficient Super-Resolution", CVPR
    Workshops 2022.
    """

    def __init__(self, num_feat: int, norm: str) -> None:
        super().__init__()
        squeezed = num_feat // 4
        self.conv1 = conv(num_feat, num_feat, 3, norm)
        self.conv2 = conv(num_feat, num_feat, 3, norm)
        self.squeeze = nn.Conv2d(num_feat, squeezed, 1)
        self.shrink = nn.Conv2d(squeezed, squeezed, 3, stride=2, padding=1)
        self.coarse = nn.Conv2d(squeezed, squeezed, 3, padding=1)
        self.beside = nn.Conv2d(squeezed, squeezed, 1)
        self.weigh = nn.Conv2d(squeezed, num_feat, 1)
        self.act = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        residual = self.conv2(self.act(self.conv1(feature)))
        narrow = self.squeeze(residual)
        coarse = self.coarse(F.max_pool2d(self.shrink(narrow), kernel_size=7, stride=3, padding=3))
        wide = F.interpolate(coarse, size=narrow.shape[2:], mode="bilinear", align_corners=False)
        return feature + residual * torch.sigmoid(self.weigh(wide + self.beside(narrow)))  # type: ignore[no-any-return]


class LargeKernel(nn.Module):
    """ConvNeXt's block without its norm (Liu et al., CVPR 2022): depthwise 7x7, 1x1 to twice the width, 1x1, plus x."""

    def __init__(self, num_feat: int, norm: str) -> None:
        super().__init__()
        self.depthwise = conv(num_feat, num_feat, 7, norm, groups=num_feat)
        self.expand = conv(num_feat, 2 * num_feat, 1, norm)
        self.project = conv(2 * num_feat, num_feat, 1, norm)
        self.act = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        return self.project(self.act(self.expand(self.depthwise(feature)))).add_(feature)  # type: ignore[no-any-return]


def _refuse_norm(kind: str, norm: str) -> None:
    """Raise ValueError for a norm: branches that fold have no place for one."""
    if norm != "none":
        raise ValueError(f"a {kind} has no batch norm, got norm {norm!r}")


def empty_position(_num_feat: int, _norm: str) -> nn.Module:
    """Return what passes (n, c, h, w) on as it is."""
    return nn.Identity()
