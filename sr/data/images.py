"""Pictures on disk: 8 and 16 bit, grey, palette, alpha and EXIF orientation, all brought to RGB."""

import struct
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from sr.errors import InputError
from sr.files import StrPath, replacing

Pixels = NDArray[np.uint8 | np.uint16]

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
_SWAPPED = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}
# Tags of TIFF and two of their values.
_BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION, _PLANAR_CONFIGURATION = 258, 262, 274, 284
_WHITE_IS_ZERO, _SEPARATE_PLANES = 0, 2


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
    _require_file(path)
    try:
        with Image.open(path) as image:
            deep = _deep_pixels(path, image)
            pixels = deep if deep is not None else _shallow_pixels(image)
            # Pillow turns TIFF, and nothing else, upright by itself. Some formats tell the orientation once decoded.
            orientation = 1 if image.format == "TIFF" else image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception as error:  # for broken files Pillow raises a dozen types, from OSError to IndexError
        raise InputError(f"cannot read the picture {path}: {_reason(error)}; replace it or leave it out") from error
    pixels = upright(pixels, orientation)
    alpha = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(pixels[..., :3]), alpha)


def picture_size(path: StrPath) -> tuple[int, int]:
    """Return (height, width) as the header has them, before EXIF orientation, without decoding.

    Raises:
        InputError: Where the picture is missing or its header is broken.
    """
    path = Path(path)
    _require_file(path)
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except Exception as error:  # as in read_picture
        raise InputError(f"cannot read the picture {path}: {_reason(error)}; replace it or leave it out") from error


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
            temporary.write_bytes(_png_16_bit(pixels))
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


def _require_file(path: Path) -> None:
    """Raise InputError where there is no file."""
    if not path.is_file():
        raise InputError(f"no picture at {path}")


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


def _reason(error: Exception) -> str:
    """Say in a few words why a picture could not be decoded."""
    if isinstance(error, UnidentifiedImageError):
        return "it is in no picture format known here"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"it is too large ({' '.join(str(error).split())})"
    return " ".join(str(error).split())[:200] or type(error).__name__


def _shallow_pixels(image: Image.Image) -> Pixels:
    """Decode into (h, w, 3 or 4): 16 bit for 16-bit grey, else 8 bit; raises ValueError for floating point."""
    if image.mode == "F":
        raise ValueError("its values are floating point, but pictures of 8 and 16 bit are read")
    if image.mode.startswith("I"):
        return _grey_pixels(image)
    return np.array(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def _grey_pixels(image: Image.Image) -> NDArray[np.uint16]:
    """Decode 16-bit grey into (h, w, 3 or 4); raises ValueError where a value needs more than 16 bits."""
    values = np.array(image)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its values must lie in 0..65535, got {values.min()}..{values.max()}")
    grey = values.astype(np.uint16)
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 65535 - grey
    return _with_key(np.repeat(grey[..., None], 3, axis=2), image.info.get("transparency"))


def _with_key(pixels: NDArray[np.uint16], key: object) -> NDArray[np.uint16]:
    """Add an alpha that is 0 where a pixel has the transparent colour `key`, a number or three; none without a key."""
    if not isinstance(key, int | tuple):
        return pixels
    transparent = (pixels == np.array(key, dtype=np.int64)).all(axis=2)
    return np.dstack([pixels, np.where(transparent, 0, 65535).astype(np.uint16)])


def _deep_pixels(path: Path, image: Image.Image) -> NDArray[np.uint16] | None:
    """Decode 16-bit colour into (h, w, 3 or 4); None where the picture has fewer bits or one channel.

    Pillow keeps only one byte of each value in colour. Which one, its raw mode says: decoding once for the high and
    once for the low bytes gives all 16 bits, in every compression that Pillow knows.
    """
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANAR_CONFIGURATION) == _SEPARATE_PLANES and set(tags.get(_BITS_PER_SAMPLE, ())) == {16}:
        planes = np.asarray(tifffile.imread(path, key=0), dtype=np.uint16).transpose(1, 2, 0)
        return upright(planes[..., :4], tags.get(_ORIENTATION, 1)).astype(np.uint16, copy=False)
    layout, _, order = _raw_mode(image).partition(";")
    if layout == "LA" and order == "16B":
        pairs = _decode_as(path, "RGBA").astype(np.uint16)
        grey, alpha = pairs[..., 0] * 256 + pairs[..., 1], pairs[..., 2] * 256 + pairs[..., 3]
        return np.dstack([grey, grey, grey, alpha])
    if layout not in ("RGB", "RGBA") or order not in _SWAPPED:
        return None
    high = _decode_as(path, f"{layout};{order}").astype(np.uint16)
    pixels = high * 256 + _decode_as(path, f"{layout};{_SWAPPED[order]}")
    return _with_key(pixels, image.info.get("transparency"))


def _raw_mode(image: Image.Image) -> str:
    """Return Pillow's name for the layout of the values in the file, such as RGB;16B; empty where it has none."""
    tiles = getattr(image, "tile", [])
    arguments = tiles[0].args if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _decode_as(path: Path, raw: str) -> NDArray[np.uint8]:
    """Decode a file afresh with the raw mode `raw` in place of its own."""
    with Image.open(path) as image:
        tiles: list[Any] = getattr(image, "tile", [])
        changed = [tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw) for tile in tiles]
        setattr(image, "tile", changed)  # noqa: B010 - only file images have it, and Image.open is typed as any image
        return np.array(image)


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation (1 to 8) of (h, w, c)."""
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    turned = pixels.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else pixels
    return turned[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def _png_16_bit(pixels: Pixels) -> bytes:
    """Return (h, w, 3 or 4) uint16 as a PNG file of 16 bit per value, which Pillow cannot write."""
    height, width, channels = pixels.shape
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 2  # every row as its difference from the one above
    filtered[0, 1:] = rows[0]
    filtered[1:, 1:] = rows[1:] - rows[:-1]
    colour_type = {3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    body = (
        _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", zlib.compress(filtered.tobytes())) + _png_chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + body


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return one PNG chunk: length, kind, content, CRC."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
