"""From what Pillow holds to arrays at the depth of the file: grey stays grey, 16 bits stay 16, strip by strip."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sr.errors import InputError
from sr.pictures.picture import Pixels

# What Pillow's modes become; every other mode is refused by name.
_GREY, _GREY_ALPHA, _RGB, _RGBA = "L", "LA", "RGB", "RGBA"
_BECOMES = {"1": _GREY, "L": _GREY, "LA": _GREY_ALPHA, "La": _GREY_ALPHA, "P": _RGB, "PA": _RGBA, "RGB": _RGB,
            "RGBX": _RGB, "RGBA": _RGBA, "RGBa": _RGBA, "YCbCr": _RGB, "HSV": _RGB}  # fmt: skip
_WITH_ALPHA = {_GREY: _GREY_ALPHA, _RGB: _RGBA}
_SWAPPED = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}
# Tags of TIFF and two of their values.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANAR_CONFIGURATION, _ORIENTATION = 258, 262, 284, 274
_WHITE_IS_ZERO, _SEPARATE_PLANES = 0, 2
# Pillow's copy of a strip is no larger, so that a large picture is in memory little more than once.
_STRIP_BYTES = 2**25


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever is raised while a picture is read into one line; raises InputError, where there is none as well."""
    try:
        _require_file(path)
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # for broken files Pillow raises a dozen types, from OSError to IndexError
        raise InputError(f"cannot read the picture {path}: {_reason(error)}; replace it or leave it out") from error


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"no picture at {path}")


def _reason(error: Exception) -> str:
    """Say in a few words why a picture could not be decoded."""
    if isinstance(error, UnidentifiedImageError):
        return "it is in no picture format known here"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"it is too large ({' '.join(str(error).split())})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:200] or type(error).__name__


def decoded(path: Path, image: Image.Image, page: int, *, with_alpha: bool = False) -> Pixels:
    """Return the pixels of the page that Pillow is at: (h, w, 1 to 4), 16 bit where the file has more than 8.

    Args:
        path: The file.
        image: As Pillow opened it.
        page: Which of its pages it is at.
        with_alpha: Whether it becomes RGB and alpha whatever it is, as the frames of an animation do.

    Raises:
        ValueError: Where its colours or its depth are none that are kept here.
    """
    if with_alpha:
        if "16" in _raw_mode(image).partition(";")[2]:
            raise ValueError("it is an animation of 16 bit, and those of 8 are kept")
        image.load()
        return _converted(image, _RGBA)
    # Before it is decoded: afterwards Pillow knows its layout no more.
    deep = _deep(path, image, page)
    if deep is not None:
        return deep
    image.load()
    if image.mode.startswith("I"):
        return _deep_grey(image)
    if image.mode not in _BECOMES:
        what = "floating point" if image.mode == "F" else f"in the colours {image.mode}"
        raise ValueError(f"its values are {what}; pictures of 8 and 16 bit in grey, RGB or CMYK are read")
    mode = _BECOMES[image.mode]
    return _converted(image, _WITH_ALPHA.get(mode, mode) if image.has_transparency_data else mode)


def in_strips(image: Image.Image, channels: int, convert: Callable[[Image.Image], Image.Image]) -> NDArray[np.uint8]:
    """Return (h, w, channels) of a loaded picture, converted a strip at a time."""
    pixels = np.empty((image.height, image.width, channels), np.uint8)
    for top, bottom in strips(image.height, 4 * image.width):
        strip = convert(image.crop((0, top, image.width, bottom)))
        pixels[top:bottom] = np.asarray(strip).reshape(bottom - top, image.width, channels)
    return pixels


def strips(height: int, row_bytes: int) -> list[tuple[int, int]]:
    """Cut so many rows into strips (top, bottom) of a bounded size."""
    rows = max(1, _STRIP_BYTES // max(1, row_bytes))
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]


def _converted(image: Image.Image, mode: str) -> NDArray[np.uint8]:
    return in_strips(image, len(mode), lambda strip: strip if strip.mode == mode else strip.convert(mode))


def _deep_grey(image: Image.Image) -> NDArray[np.uint16]:
    """Return grey of 9 to 16 bits as (h, w, 1), or (h, w, 2) where one value is transparent."""
    grey = np.empty((image.height, image.width, 1), np.uint16)
    tags = getattr(image, "tag_v2", {})
    for top, bottom in strips(image.height, 4 * image.width):
        values = np.asarray(image.crop((0, top, image.width, bottom)))
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"its values must lie in 0..65535, got {values.min()}..{values.max()}")
        grey[top:bottom, :, 0] = values
    if tags.get(_BITS_PER_SAMPLE) == (12,):
        grey = ((grey << 4) | (grey >> 8)).astype(np.uint16)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        np.subtract(65535, grey, out=grey)
    return _with_key(grey, image.info.get("transparency"))


def _with_key(pixels: NDArray[np.uint16], key: object) -> NDArray[np.uint16]:
    """Add an alpha that is 0 where a pixel has the transparent colour `key`, a number or three; none without a key."""
    if not isinstance(key, int | tuple):
        return pixels
    transparent = (pixels == np.array(key, dtype=np.int64)).all(axis=2)
    return np.dstack([pixels, np.where(transparent, 0, 65535).astype(np.uint16)])


def _deep(path: Path, image: Image.Image, page: int) -> NDArray[np.uint16] | None:
    """Return colour of 16 bits, or grey with alpha; None where the file has fewer bits, or grey alone.

    Pillow keeps one byte of each such value. Which one, its raw mode says: decoding once for the high bytes and once
    for the low ones gives all 16 bits, in every compression that Pillow knows.
    """
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANAR_CONFIGURATION) == _SEPARATE_PLANES and set(tags.get(_BITS_PER_SAMPLE, ())) == {16}:
        planes = np.asarray(tifffile.imread(path, key=page), dtype=np.uint16).transpose(1, 2, 0)
        return upright(planes[..., :4], tags.get(_ORIENTATION, 1)).astype(np.uint16, copy=False)
    layout, _, order = _raw_mode(image).partition(";")
    if layout == "LA" and order == "16B":
        pairs = _decoded_as(path, "RGBA", page, 4)
        return _combined(pairs[..., ::2], pairs[..., 1::2])
    if layout not in ("RGB", "RGBA", "RGBa", "RGBX") or order not in _SWAPPED:
        return None
    # Premultiplied values are read as they are, and divided at their full depth.
    plain, channels = layout.replace("a", "A"), 4 if layout in ("RGBA", "RGBa") else 3
    high = _decoded_as(path, f"{plain};{order}", page, channels)
    pixels = _combined(high, _decoded_as(path, f"{plain};{_SWAPPED[order]}", page, channels))
    return _divided(pixels) if layout == "RGBa" else _with_key(pixels, image.info.get("transparency"))


def _combined(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> NDArray[np.uint16]:
    pixels = high.astype(np.uint16)
    pixels <<= 8
    pixels |= low
    return pixels


def _divided(pixels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Divide colours by the alpha that they were multiplied with, in place."""
    for top, bottom in strips(len(pixels), pixels[0].nbytes):
        colours = pixels[top:bottom, :, :3].astype(np.uint64) * 65535
        alpha = np.maximum(pixels[top:bottom, :, 3:], 1).astype(np.uint64)
        pixels[top:bottom, :, :3] = np.minimum((colours + alpha // 2) // alpha, 65535)
    return pixels


def _raw_mode(image: Image.Image) -> str:
    """Return Pillow's name for the layout of the values in the file, such as RGB;16B; empty where it has none."""
    tiles = getattr(image, "tile", [])
    arguments = tiles[0].args if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _decoded_as(path: Path, raw: str, page: int, channels: int) -> NDArray[np.uint8]:
    """Decode a page of a file afresh with the raw mode `raw` in place of its own, the first channels of it."""
    with Image.open(path) as image:
        image.seek(page)
        tiles: list[Any] = getattr(image, "tile", [])
        changed = [tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw) for tile in tiles]
        setattr(image, "tile", changed)  # noqa: B010 - only file images have it, and Image.open is typed as any image
        image.load()
        pixels = np.empty((image.height, image.width, channels), np.uint8)
        for top, bottom in strips(image.height, 4 * image.width):
            pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))[..., :channels]
        return pixels


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation (1 to 8) of (h, w, c)."""
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    turned = pixels.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else pixels
    return turned[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
