"""LMSR: a lighter MSRResNet with learned piecewise linear activations."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.initialisation import start_small
from baselines.parts.rescale import enlarged, steps
from sr.scale import DEFAULT_SCALE, SCALES


class MTLU(nn.Module):
    """Multi-bin trainable linear unit: in each bin of values, each channel has a slope and an offset of its own.

    The `bins` bins of `width` lie around zero, the outer two without end. It starts as ReLU.

    Source: Gu, Li, Van Gool, Timofte, "Fast Image Restoration with Multi-bin Trainable Linear Units", ICCV 2019.
    """

    first: Tensor

    def __init__(self, num_feat: int, bins: int = 40, width: float = 0.05) -> None:
        super().__init__()
        self.bins = bins
        self.width = width
        positive = torch.arange(bins) >= bins // 2
        self.slope = nn.Parameter(positive.float().repeat(num_feat, 1))
        self.offset = nn.Parameter(torch.zeros(num_feat, bins))
        self.register_buffer("first", bins * torch.arange(num_feat).view(-1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        # Not-a-number has no bin, and an index from it would be out of bounds; the product below keeps it.
        bins = (x.detach() / self.width).floor().nan_to_num(0.0) + self.bins // 2
        index = bins.clamp(0, self.bins - 1).long() + self.first
        lines = torch.stack((self.slope.flatten(), self.offset.flatten()), dim=1)
        slope, offset = F.embedding(index, lines).unbind(-1)
        return slope * x + offset


class _ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, a trainable linear unit between them."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.act = MTLU(num_feat)
        self.conv2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        out: Tensor = x + self.conv2(self.act(self.conv1(x)))
        return out


class LMSR(nn.Module):
    """MSRResNet with 13 blocks, halving its channels while it enlarges; a reconstruction with exact counts.

    The published FLOPs, the team's own figure, are met when one addition per convolution output and one operation per
    activation are added to the multiply-adds. The number of bins and where they are used is one of two layouts with
    these counts. Input range: [0, 1].

    Source: team LMSR in Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.

    Args:
        num_feat: Width, a multiple of 4.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 64, num_block: int = 13, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.scale = scale
        half, quarter = num_feat // 2, num_feat // 4
        first, *second = steps(scale)
        last_feat = quarter if second else half
        self.conv_first = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.Sequential(*(_ResidualBlock(num_feat) for _ in range(num_block)))
        self.upconv1 = nn.Conv2d(num_feat, first**2 * half, 3, padding=1)
        self.up_act = MTLU(half)
        self.upconv2 = nn.Conv2d(half, 4 * quarter, 3, padding=1) if second else None
        self.hr_conv = nn.Conv2d(last_feat, last_feat, 3, padding=1)
        self.conv_last = nn.Conv2d(last_feat, 3, 3, padding=1)
        self.shuffle = nn.PixelShuffle(first)
        self.act = nn.LeakyReLU(0.1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                start_small(module)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        features = self.blocks(self.act(self.conv_first(lr)))
        features = self.up_act(self.shuffle(self.upconv1(features)))
        if self.upconv2 is not None:
            features = self.act(self.shuffle(self.upconv2(features)))
        residual: Tensor = self.conv_last(self.act(self.hr_conv(features)))
        return enlarged(lr, "bilinear", self.scale) + residual


ENTRY = Baseline(
    network=LMSR,
    system="LMSR",
    scales=SCALES,
    counted="own_flops",
    channel_step=4,
)
