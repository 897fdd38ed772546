"""ESPCN, which brought the pixel shuffle."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from baselines.entry import Baseline, out_channels
from baselines.parts.rescale import upsampler
from baselines.stages import YARDSTICK
from sr.scale import DEFAULT_SCALE, SCALES

_ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU}


class ESPCN(nn.Module):
    """Three convolutions and a pixel shuffle; the function is that of the weights which ETDS's authors published.

    The paper's enlarges luma alone; this is their RGB form, which ends in a sigmoid where the paper's end is linear.
    Any LR size; input range of the original: [0, 1].

    Source: Shi, Caballero, Huszar, Totz, et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
    Sub-Pixel Convolutional Neural Network", CVPR 2016; in RGB: Chao, Zhou, Gao, Gong, Yang, Zeng, Dehbi, "Equivalent
    Transformation and Dual Stream Network Construction for Mobile Image Super-Resolution", CVPR 2023.

    Args:
        num_feat: Width behind the first convolution, 5x5.
        mid_feat: Width behind those that follow, 3x3.
        num_block: How many of these there are before the last convolution; one in the paper.
        activation: `tanh`, the paper's, or `relu`, which costs less.
        bounded: Whether it ends in a sigmoid.
        scale: How many times as high and wide the picture becomes.

    Raises:
        ValueError: For another activation.
    """

    def __init__(
        self,
        num_feat: int = 64,
        mid_feat: int = 32,
        num_block: int = 1,
        activation: str = "tanh",
        *,
        bounded: bool = True,
        scale: int = DEFAULT_SCALE,
    ) -> None:
        super().__init__()
        if activation not in _ACTIVATIONS:
            raise ValueError(f"activation is one of {', '.join(_ACTIVATIONS)}, got {activation!r}")
        layers: list[nn.Module] = [nn.Conv2d(3, num_feat, 5, padding=2), _ACTIVATIONS[activation]()]
        for index in range(num_block):
            layers += [nn.Conv2d(mid_feat if index else num_feat, mid_feat, 3, padding=1), _ACTIVATIONS[activation]()]
        self.body = nn.Sequential(*layers)
        self.upsampler = upsampler(mid_feat, scale)
        self.bounded = bounded

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        sr: Tensor = self.upsampler(self.body(lr))
        return torch.sigmoid(sr) if self.bounded else sr


def _official_config(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the widths of official weights."""
    return {"num_feat": out_channels(tensors, "body.0.weight"), "mid_feat": out_channels(tensors, "body.2.weight")}


ENTRY = Baseline(
    network=ESPCN,
    system="ESPCN",
    since="CVPR 2016",
    scales=SCALES,
    # Both widths on their own, as Michelini scales it ("edge-SR", WACV 2022); with the activation that costs less, and
    # linear at the end as in the paper.
    scaled_by={
        "num_feat": (8, 12, 16, 24, 32, 64, 96),
        "mid_feat": (8, 16, 24, 32, 48, 64, 96, 128),
        "activation": ("relu",),
        "bounded": (False,),
    },
    recipe=YARDSTICK,
    official_keys={"conv1.": "body.0.", "conv2.": "body.2.", "conv3.": "upsampler.0."},
    official_config=_official_config,
)
