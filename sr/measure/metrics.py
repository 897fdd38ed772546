"""PSNR and SSIM, the only definition of range, border and luma in the project.

Values are taken to 8 bit first (clipped to [0, 1], times 255, rounded), and a border of as many HR pixels as the scale
is left out, as is the custom of the field.
"""

import math
from collections.abc import Callable

import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from sr.scale import DEFAULT_SCALE
from sr.tensors import in_float64

_PEAK = 255.0
# BT.601 as MATLAB's rgb2ycbcr has it, for RGB of 0..255.
_LUMA_WEIGHTS = (65.481 / 255, 128.553 / 255, 24.966 / 255)
_LUMA_OFFSET = 16.0


def psnr(sr: Tensor, hr: Tensor, *, luma: bool = False, border: int = DEFAULT_SCALE) -> float:
    """Return the PSNR over all three channels, or over Y.

    Args:
        sr: (3, h, w) or (1, 3, h, w), floating point in [0, 1] or uint8.
        hr: Likewise.
        luma: Whether over Y alone.
        border: How many pixels are left out at each edge: the scale.

    Returns:
        Decibels; infinity for equal pictures.

    Raises:
        ValueError: Where the shapes differ or the border leaves nothing.
    """
    ours, truth = _comparable(sr, hr, luma=luma, border=border)
    error = float((ours - truth).square().mean())
    return math.inf if error == 0 else 10 * math.log10(_PEAK**2 / error)


def ssim(sr: Tensor, hr: Tensor, *, luma: bool = True, border: int = DEFAULT_SCALE) -> float:
    """Return the mean SSIM (Gaussian window of sigma 1.5) over Y, or averaged over RGB.

    Args:
        sr: (3, h, w) or (1, 3, h, w), floating point in [0, 1] or uint8.
        hr: Likewise.
        luma: Whether over Y alone.
        border: How many pixels are left out at each edge: the scale.

    Returns:
        At most 1, for equal pictures.

    Raises:
        ValueError: Where the shapes differ or less than the window of 11 pixels is left.
    """
    ours, truth = (values.cpu().numpy() for values in _comparable(sr, hr, luma=luma, border=border))
    mean_ssim: Callable[..., float] = structural_similarity
    similarity = mean_ssim(
        ours,
        truth,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=_PEAK,
        channel_axis=0,
    )
    return float(similarity)


def _comparable(sr: Tensor, hr: Tensor, *, luma: bool, border: int) -> tuple[Tensor, Tensor]:
    """Return both pictures as float64 (3 or 1, h, w) in 0..255 without their borders; raises ValueError."""
    if sr.shape != hr.shape or sr.ndim not in (3, 4) or sr.shape[-3] != 3 or (sr.ndim == 4 and len(sr) != 1):
        raise ValueError(f"both must be (3, h, w) or (1, 3, h, w) alike, got {tuple(sr.shape)} and {tuple(hr.shape)}")
    height, width = sr.shape[-2:]
    if border < 0 or min(height, width) <= 2 * border:
        raise ValueError(f"a border of {border} must leave something of {width}x{height}")
    inner = (..., slice(border, height - border), slice(border, width - border))
    ours, truth = (_eight_bit(values.reshape(3, height, width))[inner] for values in (sr, hr.to(sr.device)))
    return (_luma_of(ours), _luma_of(truth)) if luma else (ours, truth)


def _eight_bit(values: Tensor) -> Tensor:
    """Return uint8, or floating point in [0, 1] clipped and rounded, as float64 whole numbers of 0..255."""
    if values.dtype == torch.uint8:
        return in_float64(values)
    return in_float64((values.float().clamp(0, 1) * _PEAK).round())


def _luma_of(rgb: Tensor) -> Tensor:
    """Return the Y of (3, h, w) in 0..255 as (1, h, w) in 16..235, not rounded."""
    weights = torch.tensor(_LUMA_WEIGHTS, dtype=rgb.dtype, device=rgb.device).view(3, 1, 1)
    return (rgb * weights).sum(0, keepdim=True) + _LUMA_OFFSET
