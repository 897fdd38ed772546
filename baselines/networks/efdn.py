"""EFDN, the baseline of NTIRE 2025's efficient super-resolution challenge."""

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.attention import SpatialAttention
from baselines.parts.rescale import upsampler
from search_spaces.wide_reparam import EdgeOrientedConv
from sr.scale import DEFAULT_SCALE, SCALES


class _Step(nn.Module):
    """A convolution and its PReLU, one slope per channel; a 3x3 one is trained as edge-oriented where `branched`."""

    def __init__(self, num_feat: int, kernel_size: int, *, branched: bool) -> None:
        super().__init__()
        self.conv = (
            EdgeOrientedConv(num_feat, num_feat, expand_ratio=1, shortcuts=True)
            if branched and kernel_size == 3
            else nn.Conv2d(num_feat, num_feat, kernel_size, padding=kernel_size // 2)
        )
        self.act = nn.PReLU(num_feat)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        out: Tensor = self.act(self.conv(x))
        return out


class _DistillationCell(nn.Module):
    """A 1x1 and two 3x3 steps, a 1x1 branch distilling before and after each, then ESA beside the identity."""

    def __init__(self, num_feat: int, *, branched: bool) -> None:
        super().__init__()
        self.steps = nn.ModuleList(_Step(num_feat, kernel_size, branched=branched) for kernel_size in (1, 3, 3))
        self.branches = nn.ModuleList(nn.Conv2d(num_feat, num_feat // 2, 1) for _ in range(4))
        self.fuse = nn.Conv2d(4 * (num_feat // 2), num_feat, 1)
        self.esa = SpatialAttention(num_feat, max(1, num_feat // 4), deep=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        features = [x]
        for step in self.steps:
            features.append(step(features[-1]))
        distilled = [branch(feature) for branch, feature in zip(self.branches, features, strict=True)]
        out: Tensor = x + self.esa(self.fuse(torch.cat(distilled, dim=1)))
        return out


class EFDN(nn.Module):
    """Edge-enhanced feature distillation network; function and counts equal the official ones.

    The official function also clamps its output to [0, 1]; here, as everywhere, the caller does. Input range of the
    original: [0, 1]. LR sides below 15 leave its attention nothing to pool.

    Source: Wang, "Edge-enhanced Feature Distillation Network for Efficient Super-Resolution", CVPR Workshops 2022.

    Args:
        num_feat: Width, even.
        branched: Whether it is the training form, whose 3x3 convolutions are sums of edge-oriented branches that fold
            into the deployed form.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 48, *, branched: bool = False, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.cells = nn.ModuleList(_DistillationCell(num_feat, branched=branched) for _ in range(4))
        self.fusions = nn.ModuleList(nn.Conv2d(2 * num_feat, num_feat, 1) for _ in range(3))
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr)
        first = self.cells[0](shallow)
        second = self.cells[1](first)
        third = self.cells[2](self.fusions[0](torch.cat((first, second), dim=1)))
        fourth = self.cells[3](self.fusions[1](torch.cat((second, third), dim=1)))
        # The second cell's output once more, not the third's: so the released weights were trained.
        deep = self.fusions[2](torch.cat((second, fourth), dim=1))
        sr: Tensor = self.upsampler(deep + shallow)
        return sr


ENTRY = Baseline(
    network=EFDN,
    system="EFDN",
    since="NTIRE 2023 winner",
    scales=SCALES,
    channel_step=2,
    training_form={"branched": True},
    official_keys={
        "local_fuse.": "fusions.",
        "tail.0.": "upsampler.0.",
        "conv1.conv1x1.": "steps.0.conv.",
        "conv1.act.": "steps.0.act.",
        "conv2.rep_conv.": "steps.1.conv.",
        "conv2.act.": "steps.1.act.",
        "conv3.rep_conv.": "steps.2.conv.",
        "conv3.act.": "steps.2.act.",
        "branch.": "branches.",
        ".att.": ".esa.",
    },
)
