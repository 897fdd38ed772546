"""IMDN as its paper has it."""

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.networks.imdn import DistillationBlock
from baselines.parts.rescale import upsampler
from baselines.stages import HALVED, Stage
from sr.scale import DEFAULT_SCALE, SCALES


class IMDNPaper(nn.Module):
    """IMDN as its paper has it, with contrast-aware attention; function and counts equal the official ones.

    Input range of the original: [0, 1].

    Source: Hui, Gao, Yang, Wang, "Lightweight Image Super-Resolution with Information Multi-distillation Network",
    ACM Multimedia 2019.

    Args:
        num_feat: Width.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 64, num_block: int = 6, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.ModuleList(DistillationBlock(num_feat, attention=True) for _ in range(num_block))
        self.fuse = nn.Conv2d(num_block * num_feat, num_feat, 1)
        self.act = nn.LeakyReLU(0.05)
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr)
        features, outputs = shallow, []
        for block in self.blocks:
            features = block(features)
            outputs.append(features)
        fused = self.act(self.fuse(torch.cat(outputs, dim=1)))
        sr: Tensor = self.upsampler(shallow + self.trunk(fused))
        return sr


ENTRY = Baseline(
    network=IMDNPaper,
    system="IMDN (paper)",
    since="the IMDN of ACM Multimedia 2019, not the challenge's",
    scales=SCALES,
    channel_step=4,
    recipe=(Stage(1.0, {**HALVED, "learning_rate": 2e-4}),),
    official_keys={
        "fea_conv.": "head.",
        **{f"IMDB{number}.": f"blocks.{number - 1}." for number in range(1, 7)},
        "c.0.": "fuse.",
        "LR_conv.": "trunk.",
        "cca.conv_du.": "attention.gate.",
    },
)
