"""PSAN, the pixel-shuffle attention network of XMUlab."""

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.networks.larvanet import ResidualBlock
from baselines.parts.attention import channel_gate
from baselines.parts.rescale import RGB_RANGE, mean_shift, steps
from sr.scale import DEFAULT_SCALE, SCALES


class _FusionGroup(nn.Module):
    """A 1x1 convolution over all that came before and the LR picture, then residual blocks."""

    def __init__(self, in_channels: int, num_feat: int, num_block: int) -> None:
        super().__init__()
        self.fuse = nn.Conv2d(in_channels, num_feat, 1)
        self.blocks = nn.Sequential(*(ResidualBlock(num_feat) for _ in range(num_block)))

    def forward(self, earlier: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, num_feat, h, w)."""
        out: Tensor = self.blocks(self.fuse(earlier))
        return out


class UpscaledAttention(nn.Module):
    """Weights in (0, 1) per channel, learned from the means, and per pixel, the squashed mean over the channels."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.channel = channel_gate(num_feat, num_feat)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (n, num_feat, h, w)."""
        out: Tensor = x * self.channel(x.mean((2, 3), keepdim=True)) * torch.sigmoid(x.mean(1, keepdim=True))
        return out


class PSAN(nn.Module):
    """Gated fusion groups, attention on the enlarged feature; a reconstruction with its distance to the counts.

    Activations and convolutions exact, params -0.04 %, FLOPs -0.8 %. The published number of convolutions leaves room
    for neither a learned spatial attention nor a learned gate on the fusions. Input range: [0, 255], mean colour
    subtracted by convolutions, to which the published activations point.

    Source: team XMUlab in Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.

    Args:
        num_feat: Width.
        num_group: Groups.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self, num_feat: int = 32, num_group: int = 7, num_block: int = 4, *, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        self.sub_mean = mean_shift(-1)
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.groups = nn.ModuleList(
            _FusionGroup(number * num_feat + 3, num_feat, num_block) for number in range(1, num_group + 1)
        )
        self.fuse = nn.Conv2d(num_group * num_feat + 3, num_feat, 3, padding=1)
        first, *second = steps(scale)
        self.upconv1 = nn.Conv2d(num_feat, first**2 * num_feat, 3, padding=1)
        self.upconv2 = nn.Conv2d(num_feat, 4 * num_feat, 3, padding=1) if second else None
        self.attention = UpscaledAttention(num_feat)
        self.conv_last = nn.Conv2d(num_feat, 3, 3, padding=1)
        self.shuffle = nn.PixelShuffle(first)
        self.act = nn.LeakyReLU(0.1)
        self.add_mean = mean_shift(1)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shifted = self.sub_mean(lr * RGB_RANGE)
        outputs = [self.head(shifted)]
        for group in self.groups:
            outputs.append(group(torch.cat((*outputs, shifted), dim=1)))
        features = self.fuse(torch.cat((*outputs[1:], shifted), dim=1))
        features = self.act(self.shuffle(self.upconv1(features)))
        if self.upconv2 is not None:
            features = self.act(self.shuffle(self.upconv2(features)))
        sr: Tensor = self.add_mean(self.conv_last(self.attention(features)))
        return sr / RGB_RANGE


ENTRY = Baseline(
    network=PSAN,
    system="PSAN",
    scales=SCALES,
)
