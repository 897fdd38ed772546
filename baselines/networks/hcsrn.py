"""HCSRN, the over-parameterised network that SC-CVLAB pruned to its entry AHC-SRN."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.initialisation import start_small
from baselines.parts.rescale import enlarged, steps
from sr.scale import DEFAULT_SCALE, SCALES


class HybridBlock(nn.Module):
    """Hybrid block (HCB): a 3x1-1x3 branch, a 1x3-3x1 branch and a branch at half the size, all added to the input.

    The trunk is only ever added to, so that any input or output channel of any convolution may be pruned by itself.
    """

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.column_a = nn.Conv2d(num_feat, num_feat, (3, 1), padding=(1, 0))
        self.row_a = nn.Conv2d(num_feat, num_feat, (1, 3), padding=(0, 1))
        self.row_b = nn.Conv2d(num_feat, num_feat, (1, 3), padding=(0, 1))
        self.column_b = nn.Conv2d(num_feat, num_feat, (3, 1), padding=(1, 0))
        self.coarse1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.coarse2 = nn.Conv2d(num_feat, 4 * num_feat, 3, padding=1)
        self.act = nn.LeakyReLU(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        branch_a = self.row_a(self.act(self.column_a(x)))
        branch_b = self.column_b(self.act(self.row_b(x)))
        out: Tensor = x + branch_a + branch_b + self._coarse(x)
        return out

    def _coarse(self, x: Tensor) -> Tensor:
        """Return what the branch at half the size makes of (n, num_feat, h, w), same shape."""
        doubled = F.pixel_shuffle(self.coarse2(self.act(self.coarse1(halved(x)))), 2)
        return cropped(doubled, x.shape[2], x.shape[3])


def halved(x: Tensor) -> Tensor:
    """Return the mean of each 2x2 window of (n, c, h, w), the last row and column repeated where h and w are odd."""
    if torch.compiler.is_exporting() and not _are_known(*x.shape[2:]):
        # The same padding for all sizes, which the pool leaves out of even ones: no constraint on h and w to prove.
        return F.avg_pool2d(F.pad(x, (0, 1, 0, 1), mode="replicate"), 2)
    return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def cropped(x: Tensor, height: int, width: int) -> Tensor:
    """Return the first rows and columns of (n, c, h, w), which has at least as many."""
    if _are_known(height, width, *x.shape[2:]):
        return x if tuple(x.shape[2:]) == (height, width) else x[:, :, :height, :width]
    if torch.compiler.is_exporting():
        # The exporter cannot prove that a slice of free sizes lies inside; indices it takes as they are.
        rows, columns = (torch.arange(size, device=x.device) for size in (height, width))
        return x.index_select(2, rows).index_select(3, columns)
    return x[:, :, :height, :width]


def _are_known(*sizes: object) -> bool:
    """Return whether sizes are numbers, as they are but in an export that leaves them free."""
    return all(isinstance(size, int) for size in sizes)


class _Stage(nn.Module):
    """Hybrid blocks in a row, a 1x1 convolution over all their outputs, plus the input."""

    def __init__(self, num_feat: int, num_block: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(HybridBlock(num_feat) for _ in range(num_block))
        self.fuse = nn.Conv2d(num_block * num_feat, num_feat, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        features, outputs = x, []
        for block in self.blocks:
            features = block(features)
            outputs.append(features)
        out: Tensor = x + self.fuse(torch.cat(outputs, dim=1))
        return out


class HCSRN(nn.Module):
    """Hybrid-block network that enlarges in two steps; a reconstruction with the 91 convolutions of AHC-SRN.

    Its other counts were not published: AHC-SRN's, what pruning left, are. Input range: [0, 1].

    Source: team SC-CVLAB in Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.

    Args:
        num_feat: Width.
        num_block1: Blocks at LR size.
        num_block2: Blocks behind the first step: at twice the size, or where that step is the only one at HR size.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self, num_feat: int = 64, num_block1: int = 12, num_block2: int = 2, *, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.stage1 = _Stage(num_feat, num_block1)
        first, *second = steps(scale)
        self.upconv1 = nn.Conv2d(num_feat, first**2 * num_feat, 3, padding=1)
        self.stage2 = _Stage(num_feat, num_block2)
        self.upconv2 = nn.Conv2d(num_feat, 4 * num_feat, 3, padding=1) if second else None
        self.hr_conv = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_last = nn.Conv2d(num_feat, 3, 3, padding=1)
        self.shuffle = nn.PixelShuffle(first)
        self.act = nn.LeakyReLU(0.1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                start_small(module)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        features = self.stage1(self.head(lr))
        features = self.stage2(self.act(self.shuffle(self.upconv1(features))))
        if self.upconv2 is not None:
            features = self.act(self.shuffle(self.upconv2(features)))
        residual: Tensor = self.conv_last(self.act(self.hr_conv(features)))
        return enlarged(lr, "bilinear", self.scale) + residual


ENTRY = Baseline(
    network=HCSRN,
    system="HCSRN",
    since="the over-parameterised start of AHC-SRN",
    scales=SCALES,
)
