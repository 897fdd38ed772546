"""The LR pictures that the ranges of activations are read off."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sr.data.pairs import Pairs
from sr.quantization.config import CALIBRATED_ON

# A picture's ranges are those of its parts, and larger ones only take longer.
_LONGEST_SIDE = 256
# The shape of the random picture whose ranges a network gets that only has to run.
UNCALIBRATED = (1, 3, 64, 64)


def calibration_pictures(pairs: Pairs, count: int = CALIBRATED_ON) -> list[Tensor]:
    """Return the centres of at most `count` evenly chosen LR pictures, each (1, 3, h, w) in [0, 1] on the CPU."""
    crops = pairs.centre_crops(_LONGEST_SIDE, count)
    return [crops.pair(index)[0].cpu() for index in range(len(crops))]


def smooth_pictures(shapes: Sequence[Sequence[int]]) -> list[Tensor]:
    """Return random tensors in [0, 1], the same every time, smooth where they are pictures.

    What stands in for real pictures where only the runtime is asked for.
    """
    generator = torch.Generator().manual_seed(0)
    return [_smooth(tuple(shape), generator) for shape in shapes]


def _smooth(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if len(shape) != 4 or min(shape[2:]) < 8:
        return torch.rand(shape, generator=generator)
    n, channels, height, width = shape
    coarse = torch.rand(n, channels, height // 4, width // 4, generator=generator)
    return F.interpolate(coarse, (height, width), mode="bilinear")
