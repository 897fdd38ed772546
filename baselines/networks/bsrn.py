"""BSRN, of NTIRE 2022."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.attention import ContrastAttention, interpolate_to
from baselines.parts.rescale import upsampler
from baselines.stages import Stage
from sr.scale import DEFAULT_SCALE, SCALES

# How often the colours are repeated before the first convolution.
_COPIES = 4


class BlueprintConv(nn.Module):
    """A 3x3 convolution in two parts: 1x1 without bias, then depthwise 3x3 (BSConv-U).

    Source: Haase, Amthor, "Rethinking Depthwise Separable Convolutions", CVPR 2020.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1, padding: int = 1) -> None:
        super().__init__()
        self.pw = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.dw = nn.Conv2d(out_channels, out_channels, 3, stride=stride, padding=padding, groups=out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, h, w), at stride 1."""
        out: Tensor = self.dw(self.pw(x))
        return out


class BlueprintSpatialAttention(nn.Module):
    """Enhanced spatial attention (ESA) in blueprint convolutions: each value times a weight in (0, 1) from afar.

    Sides below 15 leave nothing to pool: PyTorch's RuntimeError.
    """

    def __init__(self, num_feat: int, squeezed: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, squeezed, 1)
        self.conv_f = nn.Conv2d(squeezed, squeezed, 1)
        self.conv2 = BlueprintConv(squeezed, squeezed, stride=2, padding=0)
        self.conv_max = BlueprintConv(squeezed, squeezed)
        self.conv3 = BlueprintConv(squeezed, squeezed)
        self.conv3_ = BlueprintConv(squeezed, squeezed)
        self.conv4 = nn.Conv2d(squeezed, num_feat, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (n, num_feat, h, w), h and w at least 15."""
        narrow = self.conv1(x)
        coarse = F.max_pool2d(self.conv2(narrow), kernel_size=7, stride=3)
        coarse = self.conv3_(F.gelu(self.conv3(F.gelu(self.conv_max(coarse)))))
        weights = self.conv4(interpolate_to(coarse, x) + self.conv_f(narrow))
        return x * torch.sigmoid(weights)


class _DistillationBlock(nn.Module):
    """Three residual blueprint steps, a 1x1 convolution distilling before each, then both attentions, plus x (ESDB)."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        distilled = max(1, num_feat // 2)
        self.distil = nn.ModuleList(nn.Conv2d(num_feat, distilled, 1) for _ in range(3))
        self.refine = nn.ModuleList(BlueprintConv(num_feat, num_feat) for _ in range(3))
        self.c4 = BlueprintConv(num_feat, distilled)
        self.c5 = nn.Conv2d(4 * distilled, num_feat, 1)
        self.esa = BlueprintSpatialAttention(num_feat, max(1, num_feat // 4))
        self.attention = ContrastAttention(num_feat, max(1, num_feat // 16))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        features, kept = x, []
        for distil, refine in zip(self.distil, self.refine, strict=True):
            kept.append(F.gelu(distil(features)))
            features = F.gelu(refine(features) + features)
        kept.append(F.gelu(self.c4(features)))
        out: Tensor = x + self.attention(self.esa(self.c5(torch.cat(kept, dim=1))))
        return out


class BSRN(nn.Module):
    """Blueprint separable residual network; counts equal the official ones, the function was not checked by weights.

    Few multiply-adds but many activations: slow for its size. Input range of the original: [0, 1]. LR sides below 15
    leave its attention nothing to pool.

    Source: Li, Liu, Chen, Zhang, Cai, Gu, Qiao, Dong, "Blueprint Separable Residual Network for Efficient Image
    Super-Resolution", CVPR Workshops 2022; the paper's width and depth.

    Args:
        num_feat: Width.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 64, num_block: int = 8, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.head = BlueprintConv(3 * _COPIES, num_feat)
        self.blocks = nn.ModuleList(_DistillationBlock(num_feat) for _ in range(num_block))
        self.fuse = nn.Conv2d(num_block * num_feat, num_feat, 1)
        self.trunk = BlueprintConv(num_feat, num_feat)
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(torch.cat([lr] * _COPIES, dim=1))
        features, outputs = shallow, []
        for block in self.blocks:
            features = block(features)
            outputs.append(features)
        fused = F.gelu(self.fuse(torch.cat(outputs, dim=1)))
        sr: Tensor = self.upsampler(shallow + self.trunk(fused))
        return sr


ENTRY = Baseline(
    network=BSRN,
    system="BSRN",
    since="NTIRE 2022",
    scales=SCALES,
    recipe=(Stage(1.0, {"learning_rate": 1e-3, "minimum_learning_rate": 1e-7, "batch": 64}),),
    # By the names that the authors' code has, its direct upsampler's with or without the step's own; no file of
    # theirs was at hand to check them against.
    official_keys={
        "fea_conv.": "head.",
        **{f"B{number}.": f"blocks.{number - 1}." for number in range(1, 9)},
        **{f".c{step}_d.": f".distil.{step - 1}." for step in range(1, 4)},
        **{f".c{step}_r.": f".refine.{step - 1}." for step in range(1, 4)},
        ".cca.conv_du.": ".attention.gate.",
        "c1.": "fuse.",
        "c2.": "trunk.",
        "upsampler.upsampleOneStep.": "upsampler.",
    },
)
