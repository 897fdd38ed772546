"""From HR to LR and back without a network: MATLAB's bicubic x1/4, and the bicubic x4 that every network must beat."""

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sr.lr_size import SCALE

TAPS = 16
# The kernel's values are whole multiples of 2**-12, so integers give MATLAB's sums exactly, ties included.
FRACTION_BITS = 12
BEFORE = 6  # the first tap of the first LR pixel lies this many HR pixels before the picture, the last as many behind


def downscale(hr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink a picture by 4 bit for bit as MATLAB's imresize with bicubic does.

    Args:
        hr: (h, w, 3); what exceeds a multiple of 4 is cut off at the bottom and the right first.

    Returns:
        (h // 4, w // 4, 3).

    Raises:
        ValueError: For a side under 4, another shape or another type.
    """
    if hr.dtype != np.uint8 or hr.ndim != 3 or min(hr.shape[:2]) < SCALE:
        raise ValueError(f"HR must be (h, w, 3) uint8 with sides of at least {SCALE}, got {hr.shape} {hr.dtype}")
    rows = _shrink_rows(crop_to_multiple(hr))
    return np.ascontiguousarray(_shrink_rows(rows.swapaxes(0, 1)).swapaxes(0, 1))


def crop_to_multiple(hr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut (h, w, 3) at the bottom and the right so that both sides are multiples of 4."""
    return hr[: hr.shape[0] // SCALE * SCALE, : hr.shape[1] // SCALE * SCALE]


def _shrink_rows(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink (4h, w, 3) to (h, w, 3), rounded half up and clipped to 8 bit."""
    padded = np.pad(picture, ((BEFORE, BEFORE), (0, 0), (0, 0)), mode="edge").astype(np.int32)
    height = picture.shape[0] // SCALE
    total = np.full((height, *picture.shape[1:]), 1 << (FRACTION_BITS - 1), np.int32)
    for tap, weight in enumerate(weights()):
        total += weight * padded[tap : tap + SCALE * height : SCALE][:height]
    rounded: NDArray[np.uint8] = np.clip(total >> FRACTION_BITS, 0, 255).astype(np.uint8)
    return rounded


def weights() -> list[int]:
    """Return the weights of the 16 HR pixels around an LR pixel's centre, in units of 2**-12; they sum to 2**12.

    Keys' cubic with a = -0.5, stretched by 4: the taps lie at odd multiples of 1/8 from the centre.
    """
    distances = [abs(2 * tap - (TAPS - 1)) / 8 for tap in range(TAPS)]
    return [round(cubic(distance) / SCALE * 2**FRACTION_BITS) for distance in distances]


def cubic(distance: float) -> float:
    """Return Keys' cubic kernel, a = -0.5, at a distance of 0 to 2."""
    if distance <= 1:
        return 1.5 * distance**3 - 2.5 * distance**2 + 1
    return -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2


def upscale_bicubic(lr: Tensor) -> Tensor:
    """Enlarge (n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w) in [0, 1] by plain bicubic interpolation."""
    return F.interpolate(lr, scale_factor=SCALE, mode="bicubic", align_corners=False).clamp(0, 1)
