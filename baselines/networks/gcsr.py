"""GCSR, the entry of 404NotFound."""

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.rescale import RGB_RANGE, enlarged, mean_shift, upsampler
from baselines.stages import HALVED, Stage
from sr.scale import DEFAULT_SCALE, SCALES


class _GhostConv(nn.Module):
    """Half of the channels by a 3x3 convolution, half from those by a depthwise one."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        half = num_feat // 2
        self.primary = nn.Conv2d(num_feat, half, 3, padding=1, bias=False)
        self.cheap = nn.Conv2d(half, half, 3, padding=1, groups=half, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        primary = self.primary(x)
        return torch.cat((primary, self.cheap(primary)), dim=1)


class _GhostBlock(nn.Module):
    """Two halves of the channels through crossing chains of ghost and 1x3 convolutions, all outputs fused."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        half = num_feat // 2
        self.c1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.c22 = _GhostConv(half)
        self.c33 = _GhostConv(half)
        self.c66 = _GhostConv(half)
        self.c77 = _GhostConv(half)
        self.c2 = nn.Conv2d(half, half, (1, 3), padding=(0, 1))
        self.c3 = nn.Conv2d(half, half, (1, 3), padding=(0, 1))
        self.c6 = nn.Conv2d(half, half, (1, 3), padding=(0, 1))
        self.c7 = nn.Conv2d(half, half, (1, 3), padding=(0, 1))
        self.c4 = nn.Conv2d(8 * half, num_feat, 1)
        self.act = nn.LeakyReLU(0.05)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        left, right = self.act(self.c1(x)).chunk(2, dim=1)
        ghost2, row2 = self.act(self.c22(left)), self.act(self.c2(right))
        ghost3, row3 = self.act(self.c33(ghost2 + left)), self.act(self.c3(row2 + right))
        # From here the chains have changed sides.
        row4, ghost4 = self.act(self.c6(row3 + left)), self.act(self.c66(ghost3 + right))
        row5, ghost5 = self.act(self.c7(row4 + left)), self.act(self.c77(ghost4 + right))
        fused = self.c4(torch.cat((ghost2, row2, ghost3, row3, row4, ghost4, row5, ghost5), dim=1))
        out: Tensor = x + self.act(fused)
        return out


class GCSR(nn.Module):
    """Ghost-convolution network; function and counts equal those of the team's code.

    Input range of the original: [0, 255], mean colour subtracted.

    Source: team 404NotFound in Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.

    Args:
        num_feat: Width, a multiple of 4.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 64, num_block: int = 6, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.scale = scale
        self.sub_mean = mean_shift(-1)
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.ModuleList(_GhostBlock(num_feat) for _ in range(num_block))
        self.fuse = nn.Conv2d(num_block * num_feat, num_feat, 1)
        self.act = nn.LeakyReLU(0.05)
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsampler = upsampler(num_feat, scale)
        self.add_mean = mean_shift(1)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shifted = self.sub_mean(lr * RGB_RANGE)
        base = enlarged(shifted, "bicubic", self.scale)
        shallow = self.head(shifted)
        features, outputs = shallow, []
        for block in self.blocks:
            features = block(features)
            outputs.append(features)
        fused = self.act(self.fuse(torch.cat(outputs, dim=1)))
        sr: Tensor = self.add_mean(base + self.upsampler(shallow + self.trunk(fused)))
        return sr / RGB_RANGE


ENTRY = Baseline(
    network=GCSR,
    system="GCSR",
    scales=SCALES,
    channel_step=4,
    recipe=(Stage(1.0, {**HALVED, "loss": "l1_gradient", "learning_rate": 2.56e-4, "batch": 72, "patch": 80}),),
    official_keys={
        **{f"light{number}.": f"blocks.{number - 1}." for number in range(1, 7)},
        "primary_conv.0.": "primary.",
        "cheap_operation.0.": "cheap.",
        "GEF.0.": "fuse.",
        "head.0.": "head.",
        "LR_conv.": "trunk.",
        "tail.0.": "upsampler.0.",
    },
)
