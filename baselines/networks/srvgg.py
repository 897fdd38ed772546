"""SRVGGNetCompact, Real-ESRGAN's small network."""

import itertools
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from baselines.entry import Baseline, out_channels
from baselines.stages import YARDSTICK
from sr.scale import DEFAULT_SCALE, SCALES


class SRVGGNetCompact(nn.Module):
    """Stack of 3x3 convolutions and PReLUs to which repeated pixels are added: ECBSR's deployed form, larger.

    Counts equal the official ones, the function is that of ECBSR's published weights. Those published for it were
    trained against a discriminator on degraded pictures: their PSNR says nothing of the network. 64 wide with 16
    convolutions by default (anime video), with 32 for the general one. Any LR size; input range of the original:
    [0, 1].

    Source: Wang, Xie, Dong, Shan, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data",
    ICCV Workshops 2021; their later code.

    Args:
        num_feat: Width.
        num_block: Convolutions between the first and the last.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 64, num_block: int = 16, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.scale = scale
        layers: list[nn.Module] = []
        for before, behind in itertools.pairwise([3, *[num_feat] * (num_block + 1)]):
            layers += [nn.Conv2d(before, behind, 3, padding=1), nn.PReLU(behind)]
        self.body = nn.Sequential(*layers, nn.Conv2d(num_feat, 3 * scale**2, 3, padding=1))
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        # Before the shuffle, where it is the same as the original's behind it and can be part of the convolution.
        sr: Tensor = self.shuffle(self.body(lr) + lr.repeat_interleave(self.scale**2, dim=1))
        return sr


def _official_config(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the width and depth of official weights."""
    convs = sum(tensor.dim() == 4 for tensor in tensors.values())
    return {"num_feat": out_channels(tensors, "body.0.weight"), "num_block": convs - 2}


ENTRY = Baseline(
    network=SRVGGNetCompact,
    system="SRVGGNetCompact",
    since="Real-ESRGAN, ICCV Workshops 2021",
    scales=SCALES,
    scaled_by={"num_feat": (8, 12, 16, 20, 24, 28, 32, 40, 48, 64), "num_block": (2, 4, 6, 8, 12, 16)},
    recipe=YARDSTICK,
    # Ours are the authors' names, by which no file of theirs was at hand; ECBSR's deployed weights, by the names that
    # ETDS's authors gave theirs, are of this network too.
    official_keys={
        "body.": "body.",
        **{f"backbone.{index}.{part}.": f"body.{2 * index + part}." for index in range(34) for part in (0, 1)},
    },
    official_config=_official_config,
)
