"""SAM_SR_LITE, the entry of SAMSUNG_TOR_AIC."""

import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.rescale import enlarged, steps
from search_spaces.blocks import conv
from sr.scale import DEFAULT_SCALE, SCALES

# Channels after the first of two shuffles, after the last, and before the last convolution.
_UP_FEAT, _HR_FEAT, _POST_FEAT = 24, 64, 36


class SqueezeExcite(nn.Module):
    """Weighs channels by what their means say, through matrix products: convolutions would exceed the published 59."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(1, channels // 4)
        self.reduce = nn.Linear(channels, squeezed)
        self.restore = nn.Linear(squeezed, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (n, channels, h, w)."""
        weights = F.hardsigmoid(self.restore(F.relu(self.reduce(x.mean((2, 3))))))
        return x * weights[:, :, None, None]


class MobileBlock(nn.Module):
    """MobileNetV3's block with batch norm: expand to twice the input's channels, depthwise 3x3, weigh, project."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        hidden = 2 * in_channels
        self.expand = conv(in_channels, hidden, 1, "batch")
        self.depthwise = conv(hidden, hidden, 3, "batch", groups=hidden)
        self.squeeze_excite = SqueezeExcite(hidden)
        self.project = conv(hidden, out_channels, 1, "batch")
        self.residual = in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, h, w), plus the input where both are alike."""
        hidden = self.squeeze_excite(self.depthwise(F.hardswish(self.expand(x))))
        out: Tensor = self.project(F.hardswish(hidden))
        return x + out if self.residual else out


def _separable(in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
    """Return a depthwise convolution and a 1x1 one, without biases."""
    return nn.Sequential(
        conv(in_channels, in_channels, kernel_size, groups=in_channels, bias=False),
        conv(in_channels, out_channels, 1, bias=False),
    )


class SAMSRLite(nn.Module):
    """MobileNetV3 for super-resolution; a reconstruction: params and FLOPs exact, activations -0.2 %, one conv short.

    The blocks follow from the report, the widths of the upsampler from the published counts. Input range: [0, 1].

    Source: team SAMSUNG_TOR_AIC in Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops
    2020.

    Args:
        num_feat: Width.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 72, num_block: int = 16, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.scale = scale
        self.head = MobileBlock(3, num_feat)
        self.blocks = nn.Sequential(*(MobileBlock(num_feat, num_feat) for _ in range(num_block)))
        first, *second = steps(scale)
        self.up1 = _separable(num_feat, first**2 * (_UP_FEAT if second else _HR_FEAT), 3)
        self.up2 = _separable(_UP_FEAT, 4 * _HR_FEAT, 3) if second else None
        self.post = _separable(_HR_FEAT, _POST_FEAT, 7)
        self.conv_last = nn.Conv2d(_POST_FEAT, 3, 1, bias=False)
        self.shuffle = nn.PixelShuffle(first)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr)
        features = shallow + self.blocks(shallow)
        features = F.hardswish(self.shuffle(self.up1(features)))
        if self.up2 is not None:
            features = F.hardswish(self.shuffle(self.up2(features)))
        residual: Tensor = self.conv_last(self.post(features))
        return enlarged(lr, "bicubic", self.scale) + residual


ENTRY = Baseline(
    network=SAMSRLite,
    system="SAM_SR_LITE",
    scales=SCALES,
    counted="with_norms",
)
