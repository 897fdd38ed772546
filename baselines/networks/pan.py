"""PAN, the entry of XPixel."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.attention import PixelAttention
from baselines.parts.rescale import enlarged, steps
from baselines.stages import Stage
from sr.scale import DEFAULT_SCALE, SCALES


class _PixelAttentionBlock(nn.Module):
    """Self-calibrated block (SCPA): half of the channels through a 3x3 convolution, half through a gated pair."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        half = num_feat // 2
        self.conv1_a = nn.Conv2d(num_feat, half, 1, bias=False)
        self.conv1_b = nn.Conv2d(num_feat, half, 1, bias=False)
        self.k1 = nn.Conv2d(half, half, 3, padding=1, bias=False)
        self.k2 = nn.Conv2d(half, half, 1)
        self.k3 = nn.Conv2d(half, half, 3, padding=1, bias=False)
        self.k4 = nn.Conv2d(half, half, 3, padding=1, bias=False)
        self.conv3 = nn.Conv2d(2 * half, num_feat, 1, bias=False)
        self.act = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        plain = self.act(self.k1(self.act(self.conv1_a(x))))
        gated = self.act(self.conv1_b(x))
        gated = self.act(self.k4(self.k3(gated) * torch.sigmoid(self.k2(gated))))
        out: Tensor = x + self.conv3(torch.cat((plain, gated), dim=1))
        return out


class _UpsamplingStage(nn.Module):
    """Nearest-neighbour enlargement between convolutions, with pixel attention."""

    def __init__(self, in_channels: int, num_feat: int, factor: int) -> None:
        super().__init__()
        self.upconv = nn.Conv2d(in_channels, num_feat, 3, padding=1)
        self.attention = PixelAttention(num_feat)
        self.hr_conv = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.act = nn.LeakyReLU(0.2)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, num_feat, factor * h, factor * w)."""
        larger = self.upconv(F.interpolate(x, scale_factor=self.factor, mode="nearest"))
        out: Tensor = self.act(self.hr_conv(self.act(self.attention(larger))))
        return out


class PAN(nn.Module):
    """Pixel attention network; function and counts equal the official ones.

    Input range of the original: [0, 1].

    Source: Zhao, Kong, He, Qiao, Dong, "Efficient Image Super-Resolution Using Pixel Attention", ECCV Workshops 2020.

    Args:
        num_feat: Channels at LR size, even.
        up_feat: Channels while upsampling.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self, num_feat: int = 40, up_feat: int = 24, num_block: int = 16, *, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        self.scale = scale
        self.conv_first = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.Sequential(*(_PixelAttentionBlock(num_feat) for _ in range(num_block)))
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.stages = nn.Sequential(
            *(
                _UpsamplingStage(up_feat if index else num_feat, up_feat, factor)
                for index, factor in enumerate(steps(scale))
            )
        )
        self.conv_last = nn.Conv2d(up_feat, 3, 3, padding=1)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.conv_first(lr)
        residual: Tensor = self.conv_last(self.stages(shallow + self.trunk(self.blocks(shallow))))
        return enlarged(lr, "bilinear", self.scale) + residual


ENTRY = Baseline(
    network=PAN,
    system="PAN",
    scales=SCALES,
    channel_step=2,
    recipe=(Stage(1.0, {"learning_rate": 7e-4, "minimum_learning_rate": 1e-7, "batch": 32, "patch": 64}),),
    official_keys={
        "SCPA_trunk.": "blocks.",
        "trunk_conv.": "trunk.",
        "k1.0.": "k1.",
        "PAConv.": "",
        "upconv1.": "stages.0.upconv.",
        "att1.": "stages.0.attention.",
        "HRconv1.": "stages.0.hr_conv.",
        "upconv2.": "stages.1.upconv.",
        "att2.": "stages.1.attention.",
        "HRconv2.": "stages.1.hr_conv.",
    },
)
