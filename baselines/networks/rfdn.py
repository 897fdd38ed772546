"""RFDN, the entry of NJU_MCG that won AIM 2020."""

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.attention import SpatialAttention
from baselines.parts.rescale import RGB_RANGE, upsampler
from baselines.stages import HALVED, L2_STAGE, Stage
from sr.scale import DEFAULT_SCALE, SCALES


class _DistillationBlock(nn.Module):
    """Residual feature distillation: three residual 3x3 steps, a 1x1 convolution distilling before each, then ESA."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        distilled = num_feat // 2
        self.c1_d = nn.Conv2d(num_feat, distilled, 1)
        self.c1_r = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.c2_d = nn.Conv2d(num_feat, distilled, 1)
        self.c2_r = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.c3_d = nn.Conv2d(num_feat, distilled, 1)
        self.c3_r = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.c4 = nn.Conv2d(num_feat, distilled, 3, padding=1)
        self.c5 = nn.Conv2d(4 * distilled, num_feat, 1)
        self.esa = SpatialAttention(num_feat, max(1, num_feat // 4), deep=True)
        self.act = nn.LeakyReLU(0.05)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape; there is no skip around the block."""
        kept = []
        for distil, refine in ((self.c1_d, self.c1_r), (self.c2_d, self.c2_r), (self.c3_d, self.c3_r)):
            kept.append(self.act(distil(x)))
            x = self.act(x + refine(x))
        kept.append(self.act(self.c4(x)))
        weighed: Tensor = self.esa(self.c5(torch.cat(kept, dim=1)))
        return weighed


class RFDN(nn.Module):
    """Residual feature distillation network, winner of AIM 2020; function and counts equal the official ones.

    Input range of the original: [0, 255]. LR sides below 15 leave its attention nothing to pool.

    Source: Liu, Tang, Wu, "Residual Feature Distillation Network for Lightweight Image Super-Resolution", ECCV
    Workshops 2020; the challenge's form, narrower than the paper's.

    Args:
        num_feat: Width, even.
        num_block: Distilling blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 50, num_block: int = 4, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.ModuleList(_DistillationBlock(num_feat) for _ in range(num_block))
        self.fuse = nn.Conv2d(num_block * num_feat, num_feat, 1)
        self.act = nn.LeakyReLU(0.05)
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr * RGB_RANGE)
        features, outputs = shallow, []
        for block in self.blocks:
            features = block(features)
            outputs.append(features)
        fused = self.act(self.fuse(torch.cat(outputs, dim=1)))
        sr: Tensor = self.upsampler(shallow + self.trunk(fused))
        return sr / RGB_RANGE


ENTRY = Baseline(
    network=RFDN,
    system="RFDN",
    scales=SCALES,
    scaled_by={"num_feat": (8, 12, 16, 20, 24, 32, 40, 50), "num_block": (1, 2, 3, 4)},
    channel_step=2,
    recipe=(Stage(0.9, {**HALVED, "batch": 64, "patch": 64}), Stage(0.1, {**L2_STAGE, "batch": 64, "patch": 64})),
    official_keys={
        "fea_conv.": "head.",
        **{f"B{number}.": f"blocks.{number - 1}." for number in range(1, 5)},
        "c.0.": "fuse.",
        "LR_conv.": "trunk.",
    },
)
