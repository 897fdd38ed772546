"""Colour profiles: kept as they are, or pictures converted to sRGB by them."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from sr.pictures.decoding import in_strips, strips
from sr.pictures.picture import Pixels

# Where an ICC profile names the space of the numbers that it is for.
_SPACE = slice(16, 20)
_SPACES = {"grey": b"GRAY", "rgb": b"RGB ", "cmyk": b"CMYK", "lab": b"Lab "}
# Those whose pixels cannot be kept as numbers of grey or RGB.
FOREIGN_MODES = ("CMYK", "LAB")


def is_for(icc: bytes, space: str) -> bool:
    """Return whether a profile is for numbers in "grey", "rgb", "cmyk" or "lab"."""
    return icc[_SPACE] == _SPACES[space]


def from_foreign(image: Image.Image, icc: bytes | None) -> NDArray[np.uint8]:
    """Return a loaded picture in CMYK or Lab as sRGB (h, w, 3): by its profile, by Pillow's formula without one.

    Raises:
        ValueError: Where the profile is broken.
    """
    if image.mode == "LAB":
        return in_strips(image, 3, _transform(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB"))
    if icc is None or not is_for(icc, "cmyk"):
        return in_strips(image, 3, lambda strip: strip.convert("RGB"))
    return in_strips(image, 3, _transform(_profile(icc), "CMYK"))


def to_srgb(pixels: Pixels, icc: bytes) -> Pixels:
    """Return a picture of 8 bits in sRGB, changed in place.

    Args:
        pixels: (h, w, c), grey or RGB, with alpha or without.
        icc: The profile that says what its numbers mean; grey may have one for grey or for RGB.

    Raises:
        ValueError: For 16 bits, a broken profile, or one for other numbers.
    """
    if pixels.dtype != np.uint8:
        raise ValueError("16 bits are not converted to sRGB; leave --to-srgb out, and the profile is kept")
    grey = pixels.shape[2] < 3
    if not is_for(icc, "rgb") and not (grey and is_for(icc, "grey")):
        raise ValueError("its colour profile is for other numbers than it has; leave --to-srgb out")
    mode = "L" if grey and is_for(icc, "grey") else "RGB"
    convert = _transform(_profile(icc), mode)
    for top, bottom in strips(len(pixels), pixels[0].nbytes * 4):
        part = pixels[top:bottom]
        colours = part[..., 0] if mode == "L" else np.repeat(part[..., :1], 3, 2) if grey else part[..., :3]
        converted = np.asarray(convert(Image.fromarray(np.ascontiguousarray(colours))))
        # Grey in sRGB has three equal numbers: the one in the middle stands for it.
        part[..., : 1 if grey else 3] = converted[..., 1:2] if grey else converted
    return pixels


def _profile(icc: bytes) -> ImageCms.ImageCmsProfile:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(icc))
    except (OSError, ImageCms.PyCMSError) as error:
        raise ValueError("its colour profile is broken") from error


def _transform(profile: ImageCms.ImageCmsProfile, mode: str) -> Callable[[Image.Image], Image.Image]:
    """Return what turns pictures of a mode into sRGB; raises ValueError where the profile cannot."""
    try:
        made = ImageCms.buildTransform(
            profile, ImageCms.createProfile("sRGB"), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
    except ImageCms.PyCMSError as error:
        raise ValueError("its colour profile is broken or cannot be converted from") from error

    def converted(image: Image.Image) -> Image.Image:
        result = ImageCms.applyTransform(image, made)
        assert result is not None
        return result

    return converted
