"""QuickSRNet, whose skip is in its first weights."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from baselines.entry import Baseline, out_channels
from baselines.parts.carried_image import add_copies, add_nearest
from baselines.stages import YARDSTICK
from sr.scale import DEFAULT_SCALE, SCALES


class QuickSRNet(nn.Module):
    """Plain stack of 3x3 convolutions, each clipped to [0, 1]; counts equal the official ones.

    Every convolution starts with the identity added, the last with the enlargement by nearest neighbour: the network
    begins near it and adds nothing at run time. Small by default; Medium is 32 wide with 5, Large 64 with 11 and the
    image path. The function was not checked by weights. Any LR size; input range of the original: [0, 1].

    Source: Berger, Dhingra, Mercier, Savani, Panchal, Porikli, "QuickSRNet: Plain Single-Image Super-Resolution
    Architecture for Faster Inference on Mobile Platforms", CVPR Workshops 2023.

    Args:
        num_feat: Width, at least 3.
        num_block: Convolutions between the first and the last.
        image_path: Whether a 1x1 convolution of the picture is added to the last convolution's output.
        scale: How many times as high and wide the picture becomes.

    Raises:
        ValueError: Where the width cannot hold the picture.
    """

    def __init__(
        self, num_feat: int = 32, num_block: int = 2, *, image_path: bool = False, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        if num_feat < 3:
            raise ValueError(f"num_feat holds the three channels of the picture, got {num_feat}")
        widths = [3, *[num_feat] * num_block]
        convs = [nn.Conv2d(width, num_feat, 3, padding=1) for width in widths]
        for conv in convs:
            add_copies(conv, 0, 0, conv.in_channels)
        self.body = nn.ModuleList(convs)
        pixels = 3 * scale**2
        self.tail = nn.Conv2d(num_feat, pixels, 3, padding=1)
        self.anchor = nn.Conv2d(3, pixels, 1) if image_path else None
        if self.anchor is None:
            add_nearest(self.tail, 0)
        else:
            for parameter in self.anchor.parameters():
                nn.init.zeros_(parameter)
            add_nearest(self.anchor, 0)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w) in [0, 1]."""
        features = lr
        for conv in self.body:
            features = conv(features).clamp(0.0, 1.0)
        pixels = self.tail(features)
        if self.anchor is not None:
            pixels = pixels + self.anchor(lr)
        sr: Tensor = self.shuffle(pixels.clamp(0.0, 1.0))
        return sr


def _official_config(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the form of official weights: Small, Medium or Large."""
    return {
        "num_feat": out_channels(tensors, "body.0.weight"),
        "num_block": sum(key.startswith("body.") and key.endswith(".weight") for key in tensors) - 1,
        "image_path": any(key.startswith("anchor.") for key in tensors),
    }


ENTRY = Baseline(
    network=QuickSRNet,
    system="QuickSRNet",
    since="CVPR Workshops 2023",
    scales=SCALES,
    scaled_by={"num_feat": (8, 12, 16, 20, 24, 28, 32, 40, 48, 64), "num_block": (1, 2, 3, 5, 8, 11)},
    recipe=YARDSTICK,
    # By the names that the authors' code has, a clip behind each convolution; no file of theirs was at hand to check
    # them against.
    official_keys={
        **{f"cnn.{2 * index}.": f"body.{index}." for index in range(12)},
        "conv_last.": "tail.",
        "anchor.net.": "anchor.",
    },
    official_config=_official_config,
)
