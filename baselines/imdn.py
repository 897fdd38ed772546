"""IMDN: the form that won AIM 2019, the paper's form, and AiriA_CG's FIMDN."""

import torch
from torch import Tensor, nn

from baselines.attention import ContrastAttention
from baselines.rescale import upsampler
from search_spaces.reparam import BranchedConv3x3

OFFICIAL_KEYS = {
    "model.0.": "head.",
    "model.1.sub.8.": "trunk.",
    "model.1.sub.": "blocks.",
    "model.2.": "upsampler.0.",
    "conv1.0.": "c1.",
    "conv2.0.": "c2.",
    "conv3.0.": "c3.",
    "conv4.": "c4.",
    "conv1x1.": "c5.",
}
OFFICIAL_PAPER_KEYS = {
    "fea_conv.": "head.",
    **{f"IMDB{number}.": f"blocks.{number - 1}." for number in range(1, 7)},
    "c.0.": "fuse.",
    "LR_conv.": "trunk.",
    "cca.conv_du.": "attention.gate.",
}


def conv3x3(in_channels: int, out_channels: int, *, branched: bool) -> nn.Module:
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
        self.c1 = conv3x3(num_feat, num_feat, branched=branched)
        self.c2 = conv3x3(self.passed, num_feat, branched=branched)
        self.c3 = conv3x3(self.passed, num_feat, branched=branched)
        self.c4 = conv3x3(self.passed, self.kept, branched=branched)
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

    Input range of the original: [0, 1]. branched: FIMDN's training form of the blocks' 3x3 convolutions.

    Source: Hui, Gao, Yang, Wang, "Lightweight Image Super-Resolution with Information Multi-distillation Network",
    ACM Multimedia 2019; this form: Zhang et al., "AIM 2019 Challenge on Constrained Super-Resolution", ICCV Workshops
    2019, with neither the attention nor the wide concatenation of the paper.
    """

    def __init__(self, num_feat: int = 64, num_block: int = 8, *, branched: bool = False) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.Sequential(
            *(DistillationBlock(num_feat, attention=False, branched=branched) for _ in range(num_block))
        )
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsampler = upsampler(num_feat)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w)."""
        shallow = self.head(lr)
        sr: Tensor = self.upsampler(shallow + self.trunk(self.blocks(shallow)))
        return sr


class IMDNPaper(nn.Module):
    """IMDN as its paper has it, with contrast-aware attention; function and counts equal the official ones.

    Input range of the original: [0, 1].

    Source: Hui, Gao, Yang, Wang, "Lightweight Image Super-Resolution with Information Multi-distillation Network",
    ACM Multimedia 2019.
    """

    def __init__(self, num_feat: int = 64, num_block: int = 6) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.ModuleList(DistillationBlock(num_feat, attention=True) for _ in range(num_block))
        self.fuse = nn.Conv2d(num_block * num_feat, num_feat, 1)
        self.act = nn.LeakyReLU(0.05)
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsampler = upsampler(num_feat)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w)."""
        shallow = self.head(lr)
        features, outputs = shallow, []
        for block in self.blocks:
            features = block(features)
            outputs.append(features)
        fused = self.act(self.fuse(torch.cat(outputs, dim=1)))
        sr: Tensor = self.upsampler(shallow + self.trunk(fused))
        return sr


def fimdn(num_feat: int = 64, num_block: int = 6, *, branched: bool = False) -> IMDN:
    """Return AiriA_CG's FIMDN: AIM 2019's IMDN with 6 blocks, a reconstruction with exact counts.

    branched: the training form, in which each 3x3 convolution of the blocks is the sum of a 3x3, a 1x3 and a 3x1 one;
    False is the deployed form. Input range: [0, 1].

    Source: Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.
    """
    return IMDN(num_feat, num_block, branched=branched)
