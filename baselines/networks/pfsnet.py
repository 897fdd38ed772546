"""PFSNet, the entry of MDISL-lab."""

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.rescale import RGB_RANGE, mean_shift, upsampler
from sr.scale import DEFAULT_SCALE, SCALES


class FeatureShareBlock(nn.Module):
    """Three 3x3 convolutions in a row, each joined by a cheap depthwise view of one feature that all share."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        half = num_feat // 2
        self.shared = nn.Conv2d(num_feat, half, 3, padding=1)
        self.convs = nn.ModuleList(nn.Conv2d(num_feat, half, 3, padding=1) for _ in range(3))
        self.cheaps = nn.ModuleList(nn.Conv2d(half, half, 3, padding=1, groups=half) for _ in range(3))
        self.fuse = nn.Conv2d(4 * half, num_feat, 1)
        self.act = nn.LeakyReLU(0.05)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        shared = self.act(self.shared(x))
        outputs, joined = [], x
        for conv, cheap in zip(self.convs, self.cheaps, strict=True):
            outputs.append(self.act(conv(joined)))
            joined = torch.cat((outputs[-1], cheap(shared)), dim=1)
        out: Tensor = x + self.fuse(torch.cat((*outputs[:-1], joined), dim=1))
        return out


class PFSNet(nn.Module):
    """Feature-sharing network; a reconstruction: convolutions exact, FLOPs -0.03 %, params -1.8 %, activations -1.4 %.

    Input range: [0, 255], mean colour subtracted by convolutions, to which the published count points.

    Source: team MDISL-lab in Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.

    Args:
        num_feat: Width, even.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 64, num_block: int = 7, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.sub_mean = mean_shift(-1)
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.Sequential(*(FeatureShareBlock(num_feat) for _ in range(num_block)))
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsampler = upsampler(num_feat, scale)
        self.add_mean = mean_shift(1)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(self.sub_mean(lr * RGB_RANGE))
        sr: Tensor = self.add_mean(self.upsampler(shallow + self.trunk(self.blocks(shallow))))
        return sr / RGB_RANGE


ENTRY = Baseline(
    network=PFSNet,
    system="PFSNet",
    scales=SCALES,
    channel_step=2,
)
