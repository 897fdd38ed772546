"""From HR to LR and back without a network: MATLAB's bicubic, and the bicubic that every network must beat."""

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sr.scale import DEFAULT_SCALE


def degrade(hr: NDArray[np.uint8], scale: int = DEFAULT_SCALE) -> NDArray[np.uint8]:
    """Shrink a picture bit for bit as MATLAB's imresize with bicubic does.

    The sums here are exact. So are MATLAB's doubles in x2 and x4, whose weights are fractions of a power of two; those
    of x3 are fractions of 81, of which no sum is a half, so that there is none whose rounding an error could turn.

    Args:
        hr: (h, w, 3); what exceeds a multiple of the scale is cut off at the bottom and the right first.
        scale: How many times smaller LR is.

    Returns:
        (h // scale, w // scale, 3).

    Raises:
        ValueError: For a side under the scale, another shape or another type.
    """
    if hr.dtype != np.uint8 or hr.ndim != 3 or min(hr.shape[:2]) < scale:
        raise ValueError(f"HR must be (h, w, 3) uint8 with sides of at least {scale}, got {hr.shape} {hr.dtype}")
    rows = _shrink_rows(crop_to_multiple(hr, scale), scale)
    return np.ascontiguousarray(_shrink_rows(rows.swapaxes(0, 1), scale).swapaxes(0, 1))


def crop_to_multiple(hr: NDArray[np.uint8], scale: int = DEFAULT_SCALE) -> NDArray[np.uint8]:
    """Cut (h, w, 3) at the bottom and the right so that both sides are multiples of the scale."""
    return hr[: hr.shape[0] // scale * scale, : hr.shape[1] // scale * scale]


def _shrink_rows(picture: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Shrink (scale * h, w, 3) to (h, w, 3), rounded half up and clipped to 8 bit."""
    before, whole = taps_before(scale), weight_unit(scale)
    padded = np.pad(picture, ((before, before), (0, 0), (0, 0)), mode="edge").astype(np.int32)
    height = picture.shape[0] // scale
    total = np.full((height, *picture.shape[1:]), whole // 2, np.int32)
    for tap, weight in enumerate(weights(scale)):
        total += weight * padded[tap : tap + scale * height : scale][:height]
    rounded: NDArray[np.uint8] = np.clip(total // whole, 0, 255).astype(np.uint8)
    return rounded


def weights(scale: int = DEFAULT_SCALE) -> list[int]:
    """Return the weights of the HR pixels around an LR pixel's centre, in units of 1 / weight_unit; they sum to one.

    Keys' cubic with a = -0.5, stretched by the scale: 8 taps of x2 and 16 of x4 at odd multiples of 1 / (2 * scale)
    from the centre, 11 of x3, whose centre is a pixel's, at even ones.
    """
    first = scale + 2 * taps_before(scale) - 1
    distances = [abs(2 * tap - first) / (2 * scale) for tap in range(first + 1)]
    return [round(cubic(distance) / scale * weight_unit(scale)) for distance in distances]


def weight_unit(scale: int) -> int:
    """Return n where all weights are whole multiples of 1 / n: the cubic of odd multiples of 1 / (2 * scale) is."""
    return 16 * scale**4


def taps_before(scale: int) -> int:
    """Return by how many pixels the first tap of the first LR pixel lies before the picture, the last as many behind.

    The cubic reaches 2 * scale pixels from the centre, which lies (scale - 1) / 2 behind the first pixel, and is zero
    at its very end.
    """
    return (3 * scale) // 2


def cubic(distance: float) -> float:
    """Return Keys' cubic kernel, a = -0.5, at a distance of 0 to 2."""
    if distance <= 1:
        return 1.5 * distance**3 - 2.5 * distance**2 + 1
    return -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2


def upscale_bicubic(lr: Tensor, scale: int = DEFAULT_SCALE) -> Tensor:
    """Enlarge (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w) in [0, 1] by plain bicubic interpolation."""
    return F.interpolate(lr, scale_factor=scale, mode="bicubic", align_corners=False).clamp(0, 1)
