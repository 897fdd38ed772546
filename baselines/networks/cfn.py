"""CFN, the entry of lyl."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline


class _Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution with few channels between them, beside the identity."""

    def __init__(self, num_feat: int, narrow_feat: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(num_feat, narrow_feat, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(narrow_feat, narrow_feat, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(narrow_feat, num_feat, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        out: Tensor = x + self.convs(x)
        return out


class _Level(nn.Module):
    """One step of the pyramid: bottlenecks on features, and the upsampling that corrects the enlarged picture."""

    def __init__(self, num_feat: int, narrow_feat: int, num_block: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(_Bottleneck(num_feat, narrow_feat) for _ in range(num_block)))
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsampler = nn.Sequential(nn.Conv2d(num_feat, 3 * 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, features: Tensor, picture: Tensor) -> Tensor:
        """Return the picture (n, 3, h, w) at twice its sides, from features (n, num_feat, h, w)."""
        residual: Tensor = self.upsampler(features + self.trunk(self.blocks(features)))
        return _doubled(picture) + residual


def _doubled(x: Tensor) -> Tensor:
    """Return (n, c, h, w) as (n, c, 2h, 2w), bilinearly interpolated."""
    return F.interpolate(x, size=(2 * x.shape[2], 2 * x.shape[3]), mode="bilinear", align_corners=False)


class CFN(nn.Module):
    """Coarse to fine pyramid of two levels; a schematic template, no reconstruction: the report draws no layer.

    It has the published 128 convolutions, and 0.411 M parameters for the 0.408 M. Those, and the PSNR of 29.44 dB that
    the team gave, were not verified by the organisers; nothing here was tuned towards that PSNR. Any LR size; input
    range: [0, 1].

    Source: Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.

    Args:
        num_feat: Channels between the bottlenecks.
        narrow_feat: Channels inside them.
        num_block: Bottlenecks in each level.
    """

    def __init__(self, num_feat: int = 32, narrow_feat: int = 29, num_block: int = 20) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.coarse = _Level(num_feat, narrow_feat, num_block)
        self.passed_on = nn.Conv2d(num_feat, num_feat, 1)
        self.fine_head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.fuse = nn.Conv2d(2 * num_feat, num_feat, 1)
        self.fine = _Level(num_feat, narrow_feat, num_block)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w)."""
        return self.pyramid(lr)[-1]

    def pyramid(self, lr: Tensor) -> list[Tensor]:
        """Return (n, 3, 2h, 2w), which the team gave a loss of its own, then what `forward` does, from (n, 3, h, w)."""
        shallow = self.head(lr)
        middle = self.coarse(shallow, lr)
        joined = torch.cat((self.fine_head(middle), _doubled(self.passed_on(shallow))), dim=1)
        return [middle, self.fine(self.fuse(joined), middle)]


ENTRY = Baseline(
    network=CFN,
    system="CFN",
)
