"""Pictures to train and to judge on: the first frame of each, of 8 and 16 bit, brought to RGB."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sr.data.listing import scan
from sr.errors import InputError
from sr.files import StrPath
from sr.pictures.picture import FrameRows, Layout, Metadata, Pixels
from sr.pictures.reading import first_frame
from sr.pictures.suffixes import USUAL
from sr.pictures.writing import require_room, write

# By suffix the key of `sr.pictures.writing.FORMATS`.
_FORMATS = {".jpeg": "jpg", ".jpg": "jpg", ".png": "png", ".tif": "tiff", ".tiff": "tiff", ".webp": "webp"}


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
    pixels = first_frame(path).pixels
    colours, alpha = (pixels[..., :-1], pixels[..., -1]) if pixels.shape[2] in (2, 4) else (pixels, None)
    rgb = np.repeat(colours, 3, axis=2) if colours.shape[2] == 1 else np.ascontiguousarray(colours)
    return Picture(rgb, None if alpha is None else np.ascontiguousarray(alpha))


def write_picture(path: StrPath, picture: Picture) -> None:
    """Write a picture in the format of the suffix: JPEG at quality 95 without chroma subsampling, WebP without loss.

    Raises:
        InputError: Where that format cannot hold it or the file cannot be written.
    """
    path = Path(path)
    name = _FORMATS.get(path.suffix.lower())
    if name is None:
        raise InputError(f"{path}: a picture is written as one of {', '.join(_FORMATS)}, got {path.suffix!r}")
    pixels = picture.rgb if picture.alpha is None else np.dstack([picture.rgb, picture.alpha])
    layout = Layout.of(pixels)
    try:
        require_room(name, layout, 1)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    write(path, name, iter([FrameRows(layout, [pixels])]), Metadata(), count=1)


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
    (listed,) = scan(Path(folder), 0)
    if not listed.pictures:
        raise InputError(f"no pictures in {folder}; it must directly hold files of {', '.join(sorted(USUAL))}")
    return list(listed.pictures)
