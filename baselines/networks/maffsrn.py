"""MAFFSRN, the entry of MLVC."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.rescale import enlarged
from baselines.parts.weight_norm import WeightNormConv
from baselines.stages import HALVED, Stage
from sr.scale import DEFAULT_SCALE, SCALES


class _MultiAttentionBlock(nn.Module):
    """Two 3x3 convolutions, then a coarse spatial attention (ESA) times a per-pixel one (CEA)."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        narrow = max(1, num_feat // 4)
        self.conv01 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv00 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.reduce_channels = nn.Conv2d(num_feat, narrow, 1)
        self.reduce_spatial_size = nn.Conv2d(narrow, narrow, 3, stride=2, padding=1)
        self.conv1 = nn.Conv2d(narrow, narrow, 3, padding=1)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, padding=2, dilation=2)
        self.increase_channels = nn.Conv2d(narrow, num_feat, 1)
        self.bottom11 = nn.Conv2d(num_feat, num_feat, 1)
        self.bottom11_dw = nn.Conv2d(num_feat, num_feat, 5, padding=2, groups=num_feat)
        self.act = nn.LeakyReLU(0.05)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape; there is no skip around the block."""
        x = self.conv00(self.act(self.conv01(x)))
        narrow = self.reduce_channels(x)
        coarse = F.max_pool2d(self.reduce_spatial_size(narrow), kernel_size=7, stride=3)
        coarse = self.act(self.conv1(coarse)) + self.act(self.conv2(coarse))
        coarse = F.interpolate(coarse, size=x.shape[2:], mode="nearest")
        spatial = torch.sigmoid(self.relu(self.increase_channels(coarse + narrow)))
        per_pixel = torch.sigmoid(self.bottom11_dw(self.bottom11(x)))
        out: Tensor = x * spatial * per_pixel
        return out


class _FeatureFusionGroup(nn.Module):
    """Four attention blocks whose outputs are fused two by two, beside a weighted identity."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_MultiAttentionBlock(num_feat) for _ in range(4))
        self.fusions = nn.ModuleList(WeightNormConv(2 * num_feat, num_feat, 1) for _ in range(3))
        self.res_scale = nn.Parameter(torch.ones(1))
        self.x_scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        x0 = self.blocks[0](x)
        x1 = self.blocks[1](x0) + x0
        x2 = self.blocks[2](x1) + x1
        fused = x0
        for fusion, other in zip(self.fusions, (x1, x2, self.blocks[3](x2)), strict=True):
            fused = fusion(_interleave(fused, other))
        out: Tensor = x * self.x_scale + fused * self.res_scale
        return out


def _interleave(first: Tensor, second: Tensor) -> Tensor:
    """Join two (n, c, h, w) into (n, 2c, h, w) with their channels taking turns."""
    return torch.stack((first, second), dim=2).flatten(1, 2)


class MAFFSRN(nn.Module):
    """Multi-attentive feature fusion network; function and counts equal the official ones.

    Input range of the original: [0, 1]. LR sides below 13 leave its attention nothing to pool.

    Source: Muqeet, Hwang, Yang, Kang, Kim, Bae, "Multi-Attention Based Ultra Lightweight Image Super-Resolution",
    ECCV Workshops 2020.

    Args:
        num_feat: Width.
        num_group: Groups.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 32, num_group: int = 4, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.scale = scale
        self.head = WeightNormConv(3, num_feat, 3)
        self.groups = nn.Sequential(*(_FeatureFusionGroup(num_feat) for _ in range(num_group)))
        self.tail_k3 = WeightNormConv(num_feat, 3 * scale**2, 3)
        self.tail_k5 = WeightNormConv(num_feat, 3 * scale**2, 5)
        self.scale_k3 = nn.Parameter(torch.full((1,), 0.5))
        self.scale_k5 = nn.Parameter(torch.full((1,), 0.5))
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        features = self.groups(self.head(lr))
        fine: Tensor = self.shuffle(self.tail_k3(features) * self.scale_k3)
        wide: Tensor = self.shuffle(self.tail_k5(features) * self.scale_k5)
        return enlarged(lr, "bicubic", self.scale) + fine + wide


ENTRY = Baseline(
    network=MAFFSRN,
    system="MAFFSRN",
    scales=SCALES,
    counted="with_norms",
    recipe=(Stage(1.0, {**HALVED, "learning_rate": 2e-4}),),
    official_keys={
        "head.0.": "head.",
        "body.": "groups.",
        **{f".b{index}.": f".blocks.{index}." for index in range(4)},
        **{f"reduction{index + 1}.": f"fusions.{index}." for index in range(3)},
        ".res_scale.scale": ".res_scale",
        ".x_scale.scale": ".x_scale",
        "tail.tail_k3.": "tail_k3.",
        "tail.tail_k5.": "tail_k5.",
        "tail.scale_k3.scale": "scale_k3",
        "tail.scale_k5.scale": "scale_k5",
        "increase_channels.0.": "increase_channels.",
        "conv1.0.": "conv1.",
        "conv2.0.": "conv2.",
        "conv00.0.": "conv00.",
        "conv01.0.": "conv01.",
        "bottom11.0.": "bottom11.",
        "bottom11_dw.0.": "bottom11_dw.",
    },
)
