"""ESR-Net, the entry of HiImageTeam."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline


class _ResidualDenseBlock(nn.Module):
    """Four 3x3 convolutions that each see all before them, and a 1x1 one that fuses them, beside the identity."""

    def __init__(self, num_feat: int, growth: int, num_conv: int = 4) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(num_feat + index * growth, growth, 3, padding=1) for index in range(num_conv)
        )
        self.fuse = nn.Conv2d(num_feat + num_conv * growth, num_feat, 1)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        features = x
        for conv in self.convs:
            features = torch.cat((features, self.act(conv(features))), dim=1)
        out: Tensor = x + self.fuse(features)
        return out


class _Doubling(nn.Module):
    """Residual dense network that doubles a picture's sides, added to the bilinear enlargement.

    refined: one more 3x3 convolution between the shuffle and the colours.
    """

    def __init__(self, num_feat: int, growth: int, num_block: int, *, refined: bool) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.ModuleList(_ResidualDenseBlock(num_feat, growth) for _ in range(num_block))
        self.fuse = nn.Conv2d(num_block * num_feat, num_feat, 1)
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.widen = nn.Conv2d(num_feat, 4 * num_feat, 1)
        self.shuffle = nn.PixelShuffle(2)
        self.refine = nn.Conv2d(num_feat, num_feat, 3, padding=1) if refined else nn.Identity()
        self.colours = nn.Conv2d(num_feat, 3, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, 3, 2h, 2w)."""
        shallow = self.head(picture)
        features, outputs = shallow, []
        for block in self.blocks:
            features = block(features)
            outputs.append(features)
        deep = shallow + self.trunk(self.fuse(torch.cat(outputs, dim=1)))
        residual: Tensor = self.colours(self.refine(self.shuffle(self.widen(deep))))
        size = (2 * picture.shape[2], 2 * picture.shape[3])
        return residual + F.interpolate(picture, size=size, mode="bilinear", align_corners=False)


class ESRNet(nn.Module):
    """Two residual dense networks in series, each doubling the sides; a reconstruction within 0.8 % of the counts.

    Parameters 0.526 M for 0.530 M, FLOPs 90.16 G for 90.11 G, activations 324.80 M for 325.05 M, convolutions equal.
    Any LR size; input range: [0, 1].

    Source: Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.
    """

    def __init__(self, num_feat: int = 21, growth: int = 16, num_block: int = 9) -> None:
        super().__init__()
        self.coarse = _Doubling(num_feat, growth, num_block, refined=False)
        self.fine = _Doubling(num_feat, growth, num_block, refined=True)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w)."""
        sr: Tensor = self.fine(self.coarse(lr))
        return sr


ENTRY = Baseline(
    network=ESRNet,
    system="ESR-Net",
)
