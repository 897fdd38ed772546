"""Where a network begins and ends: the mean of the colours, and the step from LR features to an HR picture."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.scale import DEFAULT_SCALE

RGB_RANGE = 255.0
# Mean colour of DIV2K in [0, 1], as the field has used it since EDSR.
RGB_MEAN = (0.4488, 0.4371, 0.4040)


def mean_shift(sign: int, data_range: float = RGB_RANGE) -> nn.Conv2d:
    """Return the frozen 1x1 convolution that adds `sign` times DIV2K's mean colour to (n, 3, h, w) in [0, data_range].

    A convolution and not an addition, because the challenge counts it as one.
    """
    shift = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        shift.weight.copy_(torch.eye(3).view(3, 3, 1, 1))
        if shift.bias is not None:
            shift.bias.copy_(sign * data_range * torch.tensor(RGB_MEAN))
    return shift.requires_grad_(requires_grad=False)


def mean_colour() -> Tensor:
    """Return DIV2K's mean colour as (1, 3, 1, 1), for networks that subtract it without a convolution."""
    return torch.tensor(RGB_MEAN).view(1, 3, 1, 1)


def upsampler(num_feat: int, scale: int = DEFAULT_SCALE) -> nn.Sequential:
    """Return the 3x3 convolution and the shuffle that turn features (n, num_feat, h, w) into a picture.

    Args:
        num_feat: Channels of the features.
        scale: How many times as high and wide the picture, (n, 3, scale * h, scale * w), is.
    """
    return nn.Sequential(nn.Conv2d(num_feat, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))


def steps(scale: int) -> tuple[int, ...]:
    """Return by how much networks enlarge that do so step by step: twice by 2 for x4, by the whole scale for others."""
    return (2, 2) if scale == 4 else (scale,)


def enlarged(lr: Tensor, mode: str, scale: int = DEFAULT_SCALE) -> Tensor:
    """Return (n, 3, h, w) as (n, 3, scale * h, scale * w), interpolated: mode bilinear or bicubic."""
    # A size, not a factor: exporters cannot know that a factor of 4.0 gives what a shuffle by 4 gives.
    size = (scale * lr.shape[2], scale * lr.shape[3])
    return F.interpolate(lr, size=size, mode=mode, align_corners=False)
