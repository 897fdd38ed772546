"""SPANV2, the fastest entry of NTIRE 2026's own table."""

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from search_spaces.wide_reparam import conv3xc
from sr.scale import DEFAULT_SCALE, SCALES


class _PlainBlock(nn.Module):
    """Three 3x3 convolutions without biases, each activated."""

    def __init__(self, in_channels: int, num_feat: int, *, branched: bool) -> None:
        super().__init__()
        self.c1 = conv3xc(in_channels, num_feat, branched=branched, bias=False)
        self.c2 = conv3xc(num_feat, num_feat, branched=branched, bias=False)
        self.c3 = conv3xc(num_feat, num_feat, branched=branched, bias=False)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, num_feat, h, w)."""
        out: Tensor = self.act(self.c3(self.act(self.c2(self.act(self.c1(x))))))
        return out


class _GuidedBlock(nn.Module):
    """Three 3x3 convolutions beside the identity, times a 1x1 convolution of their own output."""

    def __init__(self, num_feat: int, *, branched: bool) -> None:
        super().__init__()
        self.c1 = conv3xc(num_feat, num_feat, branched=branched, bias=False)
        self.c2 = conv3xc(num_feat, num_feat, branched=branched, bias=False)
        self.c3 = conv3xc(num_feat, num_feat, branched=branched, bias=False)
        self.guide = nn.Conv2d(num_feat, num_feat, 1)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        residual = self.c3(self.act(self.c2(self.act(self.c1(x)))))
        out: Tensor = (x + residual) * self.guide(residual)
        return out


class SPANV2(nn.Module):
    """SPAN's successor; function and counts equal the official ones in plain PyTorch.

    The organisers' own counts are lower because the official attention is one CUDA operation. Any LR size; input
    range of the original: [0, 1].

    Source: team 22 of the NTIRE 2026 challenge on efficient super-resolution, CVPR Workshops 2026 (arXiv 2604.03198).

    Args:
        num_feat: Width.
        num_block: Blocks, the first of which has no attention.
        branched: Whether it is a training form as SPAN's, which folds into the deployed form.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self, num_feat: int = 32, num_block: int = 5, *, branched: bool = False, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        pixels = 3 * scale**2
        self.first = _PlainBlock(3, num_feat, branched=branched)
        self.blocks = nn.Sequential(*(_GuidedBlock(num_feat, branched=branched) for _ in range(num_block - 1)))
        self.near = nn.Conv2d(3, pixels, 3, padding=1, groups=3, bias=False)
        self.depthwise = nn.Conv2d(
            pixels + num_feat, pixels + num_feat, 3, padding=1, groups=pixels + num_feat, bias=False
        )
        self.pointwise = nn.Conv2d(pixels + num_feat, pixels, 1, bias=False)
        self.shuffle = nn.PixelShuffle(scale)
        # Starts as the nearest-neighbour enlargement: each output channel copies its colour's centre pixel.
        nn.init.zeros_(self.near.weight)
        self.near.weight.data[:, :, 1, 1] = 1.0

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        features = torch.cat((self.near(lr), self.blocks(self.first(lr))), dim=1)
        sr: Tensor = self.shuffle(self.pointwise(self.depthwise(features)))
        return sr


ENTRY = Baseline(
    network=SPANV2,
    system="SPANV2",
    since="NTIRE 2026, fastest",
    scales=SCALES,
    scaled_by={"num_feat": (8, 12, 16, 20, 24, 28, 32, 40, 48), "num_block": (1, 2, 3, 4, 5)},
    training_form={"branched": True},
    official_keys={
        **{f"block_{number}.": f"blocks.{number - 2}." for number in range(2, 6)},
        "block_1.": "first.",
        "c1.conv.": "c1.",
        "c2.conv.": "c2.",
        "c3.conv.": "c3.",
        "guidance_map_conv.": "guide.",
        "conv_near.": "near.",
        "depthwise_conv.": "depthwise.",
        "pointwise_conv.": "pointwise.",
    },
)
