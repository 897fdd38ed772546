"""IMDN, in the form that won AIM 2019."""

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.attention import ContrastAttention
from baselines.parts.rescale import upsampler
from baselines.stages import HALVED, Stage
from search_spaces.reparam import BranchedConv3x3
from sr.scale import DEFAULT_SCALE, SCALES


def _conv3x3(in_channels: int, out_channels: int, *, branched: bool) -> nn.Module:
    """Return a 3x3 convolution, plain or trained as the sum of a 3x3, a 1x3 and a 3x1 one."""
    if branched:
        return BranchedConv3x3(in_channels, out_channels, identity=False, point=False)
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


class DistillationBlock(nn.Module):
    """Four 3x3 convolutions in a row, each but the last keeping a quarter of its channels and passing on the rest."""

    def __init__(self, num_feat: int, *, attention: bool, branched: bool = False) -> None:
        super().__init__()
        self.kept = num_feat // 4
        self.passed = num_feat - self.kept
        self.c1 = _conv3x3(num_feat, num_feat, branched=branched)
        self.c2 = _conv3x3(self.passed, num_feat, branched=branched)
        self.c3 = _conv3x3(self.passed, num_feat, branched=branched)
        self.c4 = _conv3x3(self.passed, self.kept, branched=branched)
        self.c5 = nn.Conv2d(4 * self.kept, num_feat, 1)
        self.act = nn.LeakyReLU(0.05)
        self.attention = ContrastAttention(4 * self.kept, max(1, num_feat // 16)) if attention else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        kept, rest = [], x
        for conv in (self.c1, self.c2, self.c3):
            keep, rest = self.act(conv(rest)).split((self.kept, self.passed), dim=1)
            kept.append(keep)
        out: Tensor = x + self.c5(self.attention(torch.cat((*kept, self.c4(rest)), dim=1)))
        return out


class IMDN(nn.Module):
    """Information multi-distillation network, winner of AIM 2019; function and counts equal the official ones.

    Input range of the original: [0, 1].

    Source: Hui, Gao, Yang, Wang, "Lightweight Image Super-Resolution with Information Multi-distillation Network",
    ACM Multimedia 2019; this form: Zhang et al., "AIM 2019 Challenge on Constrained Super-Resolution", ICCV Workshops
    2019, with neither the attention nor the wide concatenation of the paper.

    Args:
        num_feat: Width, a multiple of 4.
        num_block: Distilling blocks.
        branched: Whether the blocks' 3x3 convolutions are in FIMDN's training form.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self, num_feat: int = 64, num_block: int = 8, *, branched: bool = False, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.Sequential(
            *(DistillationBlock(num_feat, attention=False, branched=branched) for _ in range(num_block))
        )
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr)
        sr: Tensor = self.upsampler(shallow + self.trunk(self.blocks(shallow)))
        return sr


ENTRY = Baseline(
    network=IMDN,
    system="IMDN",
    scales=SCALES,
    channel_step=4,
    recipe=(Stage(1.0, {**HALVED, "learning_rate": 2e-4}),),
    official_keys={
        "model.0.": "head.",
        "model.1.sub.8.": "trunk.",
        "model.1.sub.": "blocks.",
        "model.2.": "upsampler.0.",
        "conv1.0.": "c1.",
        "conv2.0.": "c2.",
        "conv3.0.": "c3.",
        "conv4.": "c4.",
        "conv1x1.": "c5.",
    },
)
