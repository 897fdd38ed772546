"""Branches that train apart and fold into one convolution: the trained function at the cost of a plain one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BranchedConv3x3(nn.Module):
    """A 3x3 convolution trained as the sum of 3x3, 3x1, 1x3 and 1x1 branches and the identity.

    All are linear in the same input, so `fold` returns a single nn.Conv2d with exactly the same function (ACNet, Ding
    et al., ICCV 2019; RepVGG, Ding et al., CVPR 2021; without batch norm, which super-resolution does without).

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        identity: Whether the input is added.
        point: Whether there is a 1x1 branch; without it and the identity this is ACNet's asymmetric convolution.

    Raises:
        ValueError: Where the identity is asked for on unequal widths.
    """

    def __init__(self, in_channels: int, out_channels: int, *, identity: bool, point: bool = True) -> None:
        super().__init__()
        if identity and in_channels != out_channels:
            raise ValueError(f"an identity branch needs equal widths, got {in_channels} and {out_channels}")
        self.identity = identity
        self.square = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.column = nn.Conv2d(in_channels, out_channels, (3, 1), padding=(1, 0), bias=False)
        self.row = nn.Conv2d(in_channels, out_channels, (1, 3), padding=(0, 1), bias=False)
        self.point = nn.Conv2d(in_channels, out_channels, 1, bias=False) if point else None

    def kernel(self) -> Tensor:
        """Return the folded weight (out, in, 3, 3)."""
        parts = self.square.weight + F.pad(self.column.weight, (1, 1)) + F.pad(self.row.weight, (0, 0, 1, 1))
        if self.point is not None:
            parts = parts + F.pad(self.point.weight, (1, 1, 1, 1))
        if self.identity:
            eye = torch.eye(parts.shape[0], dtype=parts.dtype, device=parts.device)
            parts = parts + F.pad(eye[:, :, None, None], (1, 1, 1, 1))
        return parts

    def forward(self, feature: Tensor) -> Tensor:
        """Run the folded kernel: the sum of the branches at the price of one convolution, in training too."""
        return F.conv2d(feature, self.kernel(), self.square.bias, padding=1)

    @torch.no_grad()
    def fold(self) -> nn.Conv2d:
        """Return the single convolution that computes the same."""
        folded = nn.Conv2d(self.square.in_channels, self.square.out_channels, 3, padding=1)
        folded.to(self.square.weight.device, self.square.weight.dtype)
        folded.weight.copy_(self.kernel())
        assert self.square.bias is not None
        assert folded.bias is not None
        folded.bias.copy_(self.square.bias)
        return folded


class DilutedConv(nn.Module):
    """A same-padded convolution trained as a weighted sum of bases, to which `grow` adds: kernel dilution.

    Only the sum runs and is deployed.

    Source: team UESTC-MediaLab in Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops
    2020.

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        kernel_size: Odd.
        bases: How many there are at first.
        groups: Of the convolution.

    Raises:
        ValueError: Unless there is at least one base.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, bases: int, groups: int = 1) -> None:
        super().__init__()
        self.groups = groups
        shape = torch.Size((out_channels, in_channels // groups, kernel_size, kernel_size))
        self.bases = nn.Parameter(_random_bases(bases, shape))
        self.mix = nn.Parameter(torch.full((bases,), 1 / bases))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def kernel(self) -> Tensor:
        """Return the sum of the bases, each times its share, (out, in / groups, k, k)."""
        kernel: Tensor = torch.tensordot(self.mix, self.bases, dims=1)
        return kernel

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, out, h, w)."""
        kernel = self.kernel()
        return F.conv2d(feature, kernel, self.bias, padding=kernel.shape[-1] // 2, groups=self.groups)

    @torch.no_grad()
    def grow(self, count: int) -> None:
        """Add random bases and give all of them equal shares, which changes the function.

        The parameters are new ones: the optimiser must be made anew.

        Raises:
            ValueError: Unless `count` is at least 1.
        """
        added = _random_bases(count, self.bases.shape[1:])
        self.bases = nn.Parameter(torch.cat((self.bases, added.to(self.bases))))
        self.mix = nn.Parameter(self.mix.new_full((len(self.bases),), 1 / len(self.bases)))

    @torch.no_grad()
    def fold(self) -> nn.Conv2d:
        """Return the plain convolution that computes the same."""
        kernel = self.kernel()
        out_channels, in_channels, size, _ = kernel.shape
        folded = nn.Conv2d(in_channels * self.groups, out_channels, size, padding=size // 2, groups=self.groups)
        folded.weight = nn.Parameter(kernel)
        folded.bias = nn.Parameter(self.bias.clone())
        return folded


def _random_bases(count: int, shape: torch.Size) -> Tensor:
    """Return `count` kernels (count, *shape) by Xavier's uniform distribution; ValueError for less than one."""
    if count < 1:
        raise ValueError(f"a diluted convolution has and grows by at least one base, got {count}")
    return torch.stack([nn.init.xavier_uniform_(torch.empty(shape)) for _ in range(count)])


class ConvNorm(nn.Sequential):
    """A convolution followed by batch norm, which folds into the convolution for inference."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv, nn.BatchNorm2d(conv.out_channels))

    def fold(self) -> nn.Module:
        """Return the convolution whose weight and bias hold the batch norm of eval mode."""
        conv, norm = self
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        return nn.utils.fuse_conv_bn_eval(conv.eval(), norm.eval())
