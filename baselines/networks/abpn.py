"""ABPN, of Mobile AI 2021."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from baselines.entry import Baseline, out_channels
from baselines.stages import HALVED, Stage
from sr.scale import DEFAULT_SCALE, SCALES


class ABPN(nn.Module):
    """Anchor-based plain network; the function is that of the weights which ETDS's authors published.

    A stack of 3x3 convolutions and ReLUs to which each colour is added before the shuffle. M4C28 by default, M6C40 by
    `num_block` and `num_feat`. Any LR size; input range of these weights: [0, 1]. The network's own authors enlarge
    three times, from [0, 255], and clip their output.

    Source: Du, Liu, Tang, Wu, "Anchor-based Plain Net for Mobile Image Super-Resolution", CVPR Workshops 2021.

    Args:
        num_feat: Width.
        num_block: Convolutions of that width between the first and the last two.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 28, num_block: int = 4, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.scale = scale
        pixels = 3 * scale**2
        self.body = nn.Sequential(
            nn.Conv2d(3, num_feat, 3, padding=1),
            nn.ReLU(),
            *(nn.Sequential(nn.Conv2d(num_feat, num_feat, 3, padding=1), nn.ReLU()) for _ in range(num_block)),
            nn.Conv2d(num_feat, pixels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(pixels, pixels, 3, padding=1),
        )
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        sr: Tensor = self.shuffle(self.body(lr) + lr.repeat_interleave(self.scale**2, dim=1))
        return sr


def _official_config(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the width and depth of official weights."""
    return {
        "num_feat": out_channels(tensors, "body.0.weight"),
        "num_block": sum(re.fullmatch(r"body\.\d+\.0\.weight", key) is not None for key in tensors),
    }


ENTRY = Baseline(
    network=ABPN,
    system="ABPN",
    since="Mobile AI 2021",
    scales=SCALES,
    scaled_by={"num_feat": (8, 12, 16, 20, 24, 28, 32, 40, 48, 64), "num_block": (1, 2, 3, 4, 6, 8)},
    recipe=(Stage(1.0, {**HALVED, "learning_rate": 1e-3, "patch": 64}),),
    official_keys={"backbone.": "body."},
    official_config=_official_config,
)
