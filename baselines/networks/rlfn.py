"""RLFN, the winner of NTIRE 2022's runtime track."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from baselines.entry import Baseline, out_channels
from baselines.parts.attention import SpatialAttention
from baselines.parts.rescale import RGB_RANGE, upsampler
from baselines.stages import HALVED, L2_STAGE, Stage
from sr.scale import DEFAULT_SCALE, SCALES


class _LocalFeatureBlock(nn.Module):
    """Three 3x3 convolutions beside the identity, a 1x1 one, then ESA."""

    def __init__(self, num_feat: int, mid_feat: int) -> None:
        super().__init__()
        self.c1_r = nn.Conv2d(num_feat, mid_feat, 3, padding=1)
        self.c2_r = nn.Conv2d(mid_feat, mid_feat, 3, padding=1)
        self.c3_r = nn.Conv2d(mid_feat, num_feat, 3, padding=1)
        self.c5 = nn.Conv2d(num_feat, num_feat, 1)
        self.esa = SpatialAttention(num_feat, 16, deep=False)
        self.act = nn.LeakyReLU(0.05)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        local = self.act(self.c3_r(self.act(self.c2_r(self.act(self.c1_r(x))))))
        weighed: Tensor = self.esa(self.c5(x + local))
        return weighed


class RLFN(nn.Module):
    """Residual local feature network, in NTIRE 2022's form by default; function and counts equal the official ones.

    Input range of the original: [0, 255]. LR sides below 15 leave its attention nothing to pool. The paper's RLFN-S
    is 48, 48, 6 and its RLFN 52, 52, 6.

    Source: Kong, Li, Liu, Liu, He, Bai, Chen, Fu, "Residual Local Feature Network for Efficient Super-Resolution",
    CVPR Workshops 2022.

    Args:
        num_feat: Width.
        mid_feat: Channels inside a block.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self, num_feat: int = 46, mid_feat: int = 48, num_block: int = 4, *, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.Sequential(*(_LocalFeatureBlock(num_feat, mid_feat) for _ in range(num_block)))
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr * RGB_RANGE)
        sr: Tensor = self.upsampler(shallow + self.trunk(self.blocks(shallow)))
        return sr / RGB_RANGE


def _official_config(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the form of official weights: NTIRE 2022's, RLFN-S or RLFN."""
    return {
        "num_feat": out_channels(tensors, "head.weight"),
        "mid_feat": out_channels(tensors, "blocks.0.c1_r.weight"),
        "num_block": sum(key.endswith(".c1_r.weight") for key in tensors),
    }


ENTRY = Baseline(
    network=RLFN,
    system="RLFN",
    since="NTIRE 2022, won in runtime",
    scales=SCALES,
    scaled_by={"num_feat": (8, 16, 24, 32, 46), "mid_feat": (8, 16, 32, 48), "num_block": (1, 2, 4)},
    recipe=(Stage(0.9, {**HALVED, "batch": 64, "patch": 64}), Stage(0.1, {**L2_STAGE, "batch": 64, "patch": 128})),
    official_keys={
        "conv_1.": "head.",
        "conv_2.": "trunk.",
        **{f"block_{number}.": f"blocks.{number - 1}." for number in range(1, 7)},
    },
    official_config=_official_config,
)
