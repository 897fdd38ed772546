"""Branches that train apart and fold into one convolution: the trained function at the cost of a plain one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BranchedConv3x3(nn.Module):
    """A 3x3 convolution trained as the sum of 3x3, 3x1, 1x3 and 1x1 branches and, on equal widths, the identity.

    All are linear in the same input, so `fold` returns a single nn.Conv2d with exactly the same function (ACNet, Ding
    et al., ICCV 2019; RepVGG, Ding et al., CVPR 2021; without batch norm, which super-resolution does without).
    """

    def __init__(self, in_channels: int, out_channels: int, *, identity: bool) -> None:
        super().__init__()
        if identity and in_channels != out_channels:
            raise ValueError(f"an identity branch needs equal widths, got {in_channels} and {out_channels}")
        self.identity = identity
        self.square = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.column = nn.Conv2d(in_channels, out_channels, (3, 1), padding=(1, 0), bias=False)
        self.row = nn.Conv2d(in_channels, out_channels, (1, 3), padding=(0, 1), bias=False)
        self.point = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def kernel(self) -> Tensor:
        """Return the folded weight (out, in, 3, 3)."""
        parts = self.square.weight + F.pad(self.column.weight, (1, 1)) + F.pad(self.row.weight, (0, 0, 1, 1))
        centre = self.point.weight
        if self.identity:
            eye = torch.eye(centre.shape[0], dtype=centre.dtype, device=centre.device)
            centre = centre + eye[:, :, None, None]
        return parts + F.pad(centre, (1, 1, 1, 1))

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
