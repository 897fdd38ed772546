"""Profiles say what numbers mean: conversions keep that."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from sr.pictures.colour import from_foreign, is_for, to_srgb


def test_srgb_to_srgb_changes_next_to_nothing(srgb_icc: bytes) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 4), dtype=np.uint8)
    converted = to_srgb(pixels.copy(), srgb_icc)
    assert abs(converted.astype(int) - pixels).max() <= 1
    assert np.array_equal(converted[..., 3], pixels[..., 3])


def test_another_profile_changes_colours_as_littlecms_does(srgb_icc: bytes) -> None:
    # sRGB with red and blue primaries swapped: its red is sRGB's blue.
    swapped = srgb_icc.replace(b"rXYZ", b"tmpX", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tmpX", b"bXYZ", 1)
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    assert to_srgb(red, swapped)[0, 0].tolist() == pytest.approx([0, 0, 255], abs=2)


def test_grey_stays_one_channel(srgb_icc: bytes) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    converted = to_srgb(grey.copy(), srgb_icc)
    assert converted.shape == (16, 16, 1)
    assert abs(converted.astype(int) - grey).max() <= 1


@pytest.mark.parametrize(
    ("pixels", "icc", "message"),
    [(np.zeros((2, 2, 3), np.uint16), None, "16 bits are not converted"),
     (np.zeros((2, 2, 3), np.uint8), b"x" * 16 + b"CMYK" + b"x" * 108, "for other numbers"),
     (np.zeros((2, 2, 3), np.uint8), b"x" * 16 + b"RGB " + b"x" * 108, "broken")],
)  # fmt: skip
def test_what_cannot_be_converted_is_said(pixels: np.ndarray, icc: bytes | None, message: str, srgb_icc: bytes) -> None:
    with pytest.raises(ValueError, match=message):
        to_srgb(pixels, icc or srgb_icc)


def test_cmyk_and_lab_become_rgb() -> None:
    cmyk = Image.new("CMYK", (3, 2), (0, 255, 255, 0))
    assert from_foreign(cmyk, None)[0, 0].tolist() == [255, 0, 0]
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.new("RGB", (3, 2), (200, 100, 50)), to_lab)
    assert from_foreign(lab, None)[0, 0].tolist() == pytest.approx([200, 100, 50], abs=3)


def test_a_profile_says_what_it_is_for(srgb_icc: bytes) -> None:
    assert is_for(srgb_icc, "rgb")
    assert not is_for(srgb_icc, "grey")
