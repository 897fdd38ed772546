"""SAFMN, of ICCV 2023."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.rescale import upsampler
from baselines.stages import Stage
from sr.scale import DEFAULT_SCALE, SCALES


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel, with a learned factor and offset per channel."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_feat, 1, 1))
        self.bias = nn.Parameter(torch.zeros(num_feat, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        shifted = x - x.mean(1, keepdim=True)
        spread = torch.rsqrt(shifted.square().mean(1, keepdim=True) + 1e-6)
        return self.weight * (shifted * spread) + self.bias


class _ScaleModulation(nn.Module):
    """A quarter of the channels each seen at full, half, quarter and eighth size; together they weigh x (SAFM)."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        quarter = num_feat // 4
        self.depthwise = nn.ModuleList(nn.Conv2d(quarter, quarter, 3, padding=1, groups=quarter) for _ in range(4))
        self.fuse = nn.Conv2d(num_feat, num_feat, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (n, num_feat, h, w)."""
        views = []
        for level, (conv, part) in enumerate(zip(self.depthwise, x.chunk(4, dim=1), strict=True)):
            size = 2**level
            views.append(conv(part) if level == 0 else repeated(conv(pooled(part, size)), x))
        return x * F.gelu(self.fuse(torch.cat(views, dim=1)))


def pooled(x: Tensor, size: int) -> Tensor:
    """Return the largest values of (n, c, h // size, w // size) windows of (n, c, h, w), at least one along each side.

    The windows of adaptive pooling, which stretch and overlap where `size` does not divide a side.
    """
    return _pooled_along(_pooled_along(x, 2, size), 3, size)


def _pooled_along(x: Tensor, dim: int, size: int) -> Tensor:
    """Return `pooled` for one dimension alone."""
    # By index: adaptive pooling becomes another function in ONNX where `size` does not divide a side.
    side = x.shape[dim]
    count = torch.sym_max(1, side // size)
    index = torch.arange(count, device=x.device)
    first = (index * side).div(count, rounding_mode="floor")
    last = ((index + 1) * side + count - 1).div(count, rounding_mode="floor") - 1
    # No window is wider; a narrower one repeats its last place.
    offsets = torch.arange(2 * size - 1, device=x.device)
    taken = torch.minimum(first[:, None] + offsets, last[:, None])
    windows: Tensor = x.index_select(dim, taken.flatten()).unflatten(dim, (-1, 2 * size - 1))
    return windows.amax(dim + 1)


def repeated(small: Tensor, like: Tensor) -> Tensor:
    """Return (n, c, h, w) at the sides of `like`, each pixel a copy of the nearest one."""
    # In integers: the floats of interpolation choose the same pixels here, but other ones in onnxruntime.
    for dim in (2, 3):
        index = torch.arange(like.shape[dim], device=like.device) * small.shape[dim]
        small = small.index_select(dim, index.div(like.shape[dim], rounding_mode="floor"))
    return small


class _ModulationBlock(nn.Module):
    """Scale modulation, then a 3x3 and a 1x1 convolution with twice the channels between, each normed, beside x."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(num_feat)
        self.modulation = _ScaleModulation(num_feat)
        self.norm2 = ChannelNorm(num_feat)
        self.widen = nn.Conv2d(num_feat, 2 * num_feat, 3, padding=1)
        self.narrow = nn.Conv2d(2 * num_feat, num_feat, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        x = x + self.modulation(self.norm1(x))
        out: Tensor = x + self.narrow(F.gelu(self.widen(self.norm2(x))))
        return out


class SAFMN(nn.Module):
    """Spatially-adaptive feature modulation network; counts equal the official ones, no weights are public.

    The function is the official one at all LR sides of 8 and more; the official pools fail below, where here one window
    is as large as the side. Input range of the original: [0, 1].

    Source: Sun, Dong, Tang, Pan, "Spatially-Adaptive Feature Modulation for Efficient Image Super-Resolution", ICCV
    2023.

    Args:
        num_feat: Width, a multiple of 4.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 36, num_block: int = 8, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.Sequential(*(_ModulationBlock(num_feat) for _ in range(num_block)))
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr)
        sr: Tensor = self.upsampler(shallow + self.blocks(shallow))
        return sr


ENTRY = Baseline(
    network=SAFMN,
    system="SAFMN",
    since="ICCV 2023",
    scales=SCALES,
    scaled_by={"num_feat": (8, 12, 16, 20, 24, 28, 36), "num_block": (1, 2, 3, 4, 6, 8)},
    channel_step=4,
    recipe=(
        Stage(
            1.0, {"learning_rate": 1e-3, "minimum_learning_rate": 1e-5, "batch": 64, "patch": 64, "ema_decay": 0.999}
        ),
    ),
)
