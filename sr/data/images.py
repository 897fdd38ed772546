"""Pictures on disk: 8 and 16 bit, grey, palette, alpha and EXIF orientation, all brought to RGB."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from sr.errors import InputError
from sr.files import StrPath, replacing
from sr.pictures.colour import FOREIGN_MODES, from_foreign
from sr.pictures.decoding import decoded, readable, upright
from sr.pictures.metadata import orientation_of
from sr.pictures.picture import FrameRows, Layout, Metadata, Pixels
from sr.pictures.png import write_png

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_HOLD_16_BIT = (".png", ".tif", ".tiff")
_HOLD_ALPHA = (".png", ".tif", ".tiff", ".webp")
_LONGEST_SIDE = {".jpg": 65500, ".jpeg": 65500, ".webp": 16383}
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".webp": {"lossless": True, "exact": True},
    ".tif": {"compression": "tiff_adobe_deflate"},
    ".tiff": {"compression": "tiff_adobe_deflate"},
}


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture: rgb (h, w, 3) uint8 or uint16 and, where it has one, alpha (h, w) of the same type, 0 transparent."""

    rgb: Pixels
    alpha: Pixels | None = None

    def __post_init__(self) -> None:
        if self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or self.rgb.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"rgb must be (h, w, 3) uint8 or uint16, got {self.rgb.shape} {self.rgb.dtype}")
        if self.alpha is not None and (self.alpha.shape, self.alpha.dtype) != (self.rgb.shape[:2], self.rgb.dtype):
            raise ValueError(
                f"alpha must be {self.rgb.shape[:2]} {self.rgb.dtype}, got {self.alpha.shape} {self.alpha.dtype}"
            )

    @property
    def bits(self) -> int:
        """Bits per value, 8 or 16."""
        return self.rgb.dtype.itemsize * 8


def read_picture(path: StrPath) -> Picture:
    """Read the first frame of a picture, upright.

    Raises:
        InputError: Where it is missing, broken, too large or no picture.
    """
    path = Path(path)
    with readable(path), Image.open(path) as image:
        if image.mode in FOREIGN_MODES:
            image.load()
            pixels: Pixels = from_foreign(image, image.info.get("icc_profile"))
        else:
            pixels = decoded(path, image, 0)
        # Some formats tell the orientation once they are decoded.
        pixels = upright(pixels, orientation_of(image))
    colours, alpha = (pixels[..., :-1], pixels[..., -1]) if pixels.shape[2] in (2, 4) else (pixels, None)
    rgb = np.repeat(colours, 3, axis=2) if colours.shape[2] == 1 else np.ascontiguousarray(colours)
    return Picture(rgb, None if alpha is None else np.ascontiguousarray(alpha))


def picture_size(path: StrPath) -> tuple[int, int]:
    """Return (height, width) as the header has them, before EXIF orientation, without decoding.

    Raises:
        InputError: Where the picture is missing or its header is broken.
    """
    path = Path(path)
    with readable(path), Image.open(path) as image:
        return image.height, image.width


def write_picture(path: StrPath, picture: Picture) -> None:
    """Write a picture in the format of the suffix: JPEG at quality 95 without chroma subsampling, WebP without loss.

    Raises:
        InputError: Where that format cannot hold it or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    _require_format(path, suffix, picture)
    pixels = picture.rgb if picture.alpha is None else np.dstack([picture.rgb, picture.alpha])
    with replacing(path) as temporary:
        if picture.bits == 8:
            Image.fromarray(pixels).save(temporary, **_SAVE_OPTIONS.get(suffix, {}))
        elif suffix == ".png":
            with temporary.open("wb") as handle:
                write_png(handle, FrameRows(Layout.of(pixels), [pixels]), Metadata())
        else:
            extra = None if picture.alpha is None else ["unassalpha"]
            tifffile.imwrite(temporary, pixels, photometric="rgb", extrasamples=extra, compression="zlib")


def to_8_bit(picture: Picture) -> NDArray[np.uint8]:
    """Return rgb as (h, w, 3) uint8, 0..65535 scaled to 0..255 and rounded to the nearest."""
    if picture.bits == 8:
        return picture.rgb.astype(np.uint8, copy=False)
    return ((picture.rgb.astype(np.uint32) + 128) // 257).astype(np.uint8)


def picture_paths(folder: StrPath) -> list[Path]:
    """Return the pictures directly inside a folder, sorted by name.

    Raises:
        InputError: Where there is no such folder or no picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"no folder at {folder}; name a folder that holds pictures")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    # Names such as ._0001.png are a file manager's notes, not pictures.
    paths = [path for path in paths if not path.name.startswith(".")]
    if not paths:
        raise InputError(f"no pictures in {folder}; it must directly hold files of {', '.join(SUFFIXES)}")
    return paths


def _require_format(path: Path, suffix: str, picture: Picture) -> None:
    """Raise InputError where the format of `suffix` is unknown or cannot hold the picture."""
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: a picture is written as one of {', '.join(SUFFIXES)}, got {suffix!r}")
    if picture.bits == 16 and suffix not in _HOLD_16_BIT:
        raise InputError(f"{path}: {suffix} cannot hold 16 bit; write {' or '.join(_HOLD_16_BIT)}")
    if picture.alpha is not None and suffix not in _HOLD_ALPHA:
        raise InputError(f"{path}: {suffix} cannot hold transparency; write {' or '.join(_HOLD_ALPHA)}")
    longest = _LONGEST_SIDE.get(suffix, 2**31 - 1)
    if max(picture.rgb.shape) > longest:
        height, width = picture.rgb.shape[:2]
        raise InputError(f"{path}: {suffix} holds sides up to {longest}, got {width}x{height}; write .png or .tif")
