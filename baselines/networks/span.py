"""SPAN, the winner of NTIRE 2024."""

import torch
from torch import Tensor, nn

from baselines.entry import Baseline, out_channels
from baselines.parts.rescale import RGB_RANGE, mean_colour, upsampler
from search_spaces.wide_reparam import conv3xc
from sr.scale import DEFAULT_SCALE, SCALES


class _ParameterFreeBlock(nn.Module):
    """Three 3x3 convolutions beside the identity, weighed by an odd function of their own output (SPAB)."""

    def __init__(self, num_feat: int, *, branched: bool) -> None:
        super().__init__()
        self.c1_r = conv3xc(num_feat, num_feat, branched=branched)
        self.c2_r = conv3xc(num_feat, num_feat, branched=branched)
        self.c3_r = conv3xc(num_feat, num_feat, branched=branched)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the block's output and its first convolution's, activated, both shaped as (n, num_feat, h, w)."""
        first = self.act(self.c1_r(x))
        residual = self.c3_r(self.act(self.c2_r(first)))
        return (x + residual) * (torch.sigmoid(residual) - 0.5), first


class SPAN(nn.Module):
    """Swift parameter-free attention network; function and counts equal the official ones.

    NTIRE 2024's width by default; the paper's are 48 and 52. Any LR size; input range of the original: [0, 1],
    mean colour subtracted, times 255.

    Source: Wan, Yu, Wu, Chen, et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution", CVPR
    Workshops 2024.

    Args:
        num_feat: Width.
        num_block: Blocks.
        branched: Whether it is the training form, whose 3x3 convolutions are a chain of 1x1, 3x3 and 1x1 beside a 1x1
            and fold into the deployed form.
        scale: How many times as high and wide the picture becomes.
    """

    mean: Tensor

    def __init__(
        self, num_feat: int = 28, num_block: int = 6, *, branched: bool = False, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        self.head = conv3xc(3, num_feat, branched=branched)
        self.blocks = nn.ModuleList(_ParameterFreeBlock(num_feat, branched=branched) for _ in range(num_block))
        self.trunk = conv3xc(num_feat, num_feat, branched=branched)
        self.fuse = nn.Conv2d(4 * num_feat, num_feat, 1)
        self.upsampler = upsampler(num_feat, scale)
        self.register_buffer("mean", mean_colour(), persistent=False)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head((lr - self.mean) * RGB_RANGE)
        early, inner = self.blocks[0](shallow)
        features = early
        for block in self.blocks[1:]:
            features, inner = block(features)
        sr: Tensor = self.upsampler(self.fuse(torch.cat((shallow, self.trunk(features), early, inner), dim=1)))
        return sr


ENTRY = Baseline(
    network=SPAN,
    system="SPAN",
    since="NTIRE 2024 winner",
    scales=SCALES,
    scaled_by={"num_feat": (8, 12, 16, 20, 24, 28, 32, 40, 48), "num_block": (1, 2, 3, 4, 6)},
    training_form={"branched": True},
    official_keys={
        "conv_1.eval_conv.": "head.",
        "conv_2.eval_conv.": "trunk.",
        "conv_cat.": "fuse.",
        ".eval_conv.": ".",
        **{f"block_{number}.": f"blocks.{number - 1}." for number in range(1, 7)},
    },
    official_config=lambda tensors: {"num_feat": out_channels(tensors, "head.weight")},
)
