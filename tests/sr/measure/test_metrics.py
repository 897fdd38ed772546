import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sr.data.degradation import upscale_bicubic
from sr.data.images import picture_paths, read_picture
from sr.measure.metrics import psnr, ssim

pytestmark = pytest.mark.numeric


def picture(height: int = 20, width: int = 24) -> torch.Tensor:
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8)


def test_equal_pictures() -> None:
    hr = picture()
    assert psnr(hr / 255, hr) == math.inf
    assert psnr(hr / 255, hr, luma=True) == math.inf
    assert ssim(hr / 255, hr) == pytest.approx(1)


@given(step=st.integers(1, 100))
def test_a_constant_error_by_hand(step: int) -> None:
    hr = torch.full((1, 3, 12, 12), 100, dtype=torch.uint8)
    sr = (hr.float() + step) / 255
    assert psnr(sr, hr) == pytest.approx(20 * math.log10(255 / step))
    # Grey steps shrink to 219/255 of themselves in Y.
    assert psnr(sr, hr, luma=True) == pytest.approx(20 * math.log10(255 / (step * 219 / 255)))


def test_the_error_of_one_channel_by_hand() -> None:
    hr = torch.zeros(3, 12, 12, dtype=torch.uint8)
    sr = torch.zeros(3, 12, 12)
    sr[1] = 10 / 255
    assert psnr(sr, hr) == pytest.approx(10 * math.log10(255**2 / (100 / 3)))
    assert psnr(sr, hr, luma=True) == pytest.approx(20 * math.log10(255 / (10 * 128.553 / 255)))


def test_sr_is_clipped_and_rounded_first() -> None:
    hr = picture()
    sr = hr / 255 + (torch.rand(3, 20, 24) - 0.5) * 0.99 / 255
    assert psnr(sr, hr) == math.inf
    bright = torch.full((3, 12, 12), 255, dtype=torch.uint8)
    assert psnr(torch.full((3, 12, 12), 7.0), bright) == math.inf
    assert psnr(torch.full((3, 12, 12), -7.0), 0 * bright) == math.inf


def test_hr_may_be_floating_point_too() -> None:
    hr, sr = picture(), picture()
    assert psnr(sr / 255, hr / 255) == psnr(sr / 255, hr) == psnr(sr, hr)


def test_the_border_is_left_out() -> None:
    hr = picture()
    sr = hr.clone()
    sr[:, :4], sr[:, -4:], sr[:, :, :4], sr[:, :, -4:] = 0, 0, 0, 0
    assert psnr(sr, hr) == math.inf
    assert psnr(sr, hr, border=3) < 40


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_what_cannot_be_compared_is_refused(metric) -> None:
    for sr, hr in [(picture(), picture(20, 25)), (picture()[:1], picture()[:1]), (picture()[None], picture())]:
        with pytest.raises(ValueError, match="alike"):
            metric(sr, hr)
    two = torch.stack([picture(), picture()])
    with pytest.raises(ValueError, match="alike"):
        metric(two, two)
    with pytest.raises(ValueError, match="a border of 4"):
        metric(picture(8, 20), picture(8, 20))


def test_ssim_needs_its_window() -> None:
    assert ssim(picture(19, 19), picture(19, 19)) < 1
    with pytest.raises(ValueError, match="win_size"):
        ssim(picture(18, 19), picture(18, 19))


def test_ssim_against_its_formula_on_flat_pictures() -> None:
    # Without variance only the means count: (2ab + c) / (a^2 + b^2 + c), c = (0.01 * 255)^2.
    sr, hr = torch.full((3, 20, 20), 90, dtype=torch.uint8), torch.full((3, 20, 20), 120, dtype=torch.uint8)
    constant = (0.01 * 255) ** 2
    assert ssim(sr, hr, luma=False) == pytest.approx((2 * 90 * 120 + constant) / (90**2 + 120**2 + constant))
    dark, light = 16 + 90 * 219 / 255, 16 + 120 * 219 / 255
    assert ssim(sr, hr) == pytest.approx((2 * dark * light + constant) / (dark**2 + light**2 + constant))


def test_plain_bicubic_on_set5(shared: Path) -> None:
    folder = shared / "data" / "Set5"
    values = []
    for path in picture_paths(folder / "HR"):
        hr = torch.from_numpy(read_picture(path).rgb).permute(2, 0, 1)[None]
        lr = torch.from_numpy(read_picture(folder / "LRx4" / path.name).rgb).permute(2, 0, 1)[None] / 255
        sr = upscale_bicubic(lr)
        values.append((psnr(sr, hr, luma=True), ssim(sr, hr)))
    # Published for MATLAB's bicubic (a = -0.5): 28.42 dB and 0.8104; torch's is sharper (a = -0.75).
    psnr_y, ssim_y = np.mean(values, axis=0)
    assert psnr_y == pytest.approx(28.63, abs=0.01)
    assert ssim_y == pytest.approx(0.8138, abs=0.0005)
