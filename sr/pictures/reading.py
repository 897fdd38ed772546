"""Pictures read whole: one frame after another, upright, at their own depth, with all that they carry."""

import contextlib
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from sr.files import StrPath
from sr.pictures.colour import FOREIGN_MODES, from_foreign, is_for, to_srgb
from sr.pictures.decoding import decoded, readable, upright
from sr.pictures.metadata import metadata_of, orientation_of
from sr.pictures.picture import Frame, Metadata, Picture, Pixels
from sr.scale import DEFAULT_SCALE

# Formats whose frames are an animation, and those whose frames are pages. Others with several are refused.
MOVING, PAGED = ("GIF", "PNG", "WEBP", "AVIF"), ("TIFF",)
# A photograph, and behind it previews of it, a depth map or what brightens it on a bright screen.
_PHOTOGRAPH_FIRST = "MPO"
# What Pillow takes without a word, doubled: from here on it refuses by itself.
MOST_PIXELS = 178_956_970


@contextlib.contextmanager
def opened(
    path: StrPath, *, max_pixels: int | None = None, srgb: bool = False, scale: int = DEFAULT_SCALE
) -> Iterator[Picture]:
    """Open a picture.

    A frame is in memory once, at 1 to 8 bytes a pixel, and while it is decoded once more at Pillow's 4.

    Args:
        path: The file.
        max_pixels: The most pixels that a frame may have; None for `MOST_PIXELS`.
        srgb: Whether a picture with a colour profile is converted to sRGB.
        scale: How many times larger the sizes that it carries become.

    Raises:
        InputError: Where it is missing, broken, too large or no picture, then or when a later frame is decoded.
    """
    path = Path(path)
    with readable(path), any_size():
        image = Image.open(path)
        try:
            made = _picture(path, image, max_pixels or MOST_PIXELS, scale, srgb=srgb)
        except BaseException:
            image.close()
            raise
    try:
        yield made
    finally:
        image.close()


def first_frame(path: StrPath) -> Frame:
    """Return the first frame or page of a picture, upright and at its own depth, whatever comes behind it.

    Raises:
        InputError: Where it is missing, broken, too large or no picture.
    """
    path = Path(path)
    with readable(path), Image.open(path) as image:
        _require_usual_size(image)
        return _Reader(path, image, MOST_PIXELS, srgb=False, moving=False).frame(0)


def size_of(path: StrPath) -> tuple[int, int]:
    """Return (height, width) as the header has them, before EXIF orientation, without decoding.

    Raises:
        InputError: Where the picture is missing or too large, or its header is broken.
    """
    path = Path(path)
    with readable(path), Image.open(path) as image:
        _require_usual_size(image)
        return image.height, image.width


def _require_usual_size(image: Image.Image) -> None:
    """Raise ValueError where a picture is larger than any that is trained on."""
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"it is too large ({image.width}x{image.height} pixels); cut it into parts")


def frames_of(path: StrPath) -> tuple[str, int]:
    """Return the format of a picture, by Pillow's name, and how many frames of it are kept, without decoding it.

    Raises:
        InputError: Where it is missing or its header is broken.
    """
    path = Path(path)
    with readable(path), any_size(), Image.open(path) as image:
        kind = image.format or ""
        return kind, 1 if kind == _PHOTOGRAPH_FIRST else getattr(image, "n_frames", 1)


@contextlib.contextmanager
def any_size() -> Iterator[None]:
    """Have Pillow open pictures of any size, whose size is checked here, and say nothing of what it mends.

    It is of the whole process: threads read within one that is around all of them.
    """
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _picture(path: Path, image: Image.Image, max_pixels: int, scale: int, *, srgb: bool) -> Picture:
    kind, count = image.format or "", getattr(image, "n_frames", 1)
    notes: tuple[str, ...] = ()
    if kind == _PHOTOGRAPH_FIRST:
        count, notes = (
            1,
            (f"the {count - 1} pictures behind the photograph (previews, a depth or gain map) are left out",),
        )
    if count > 1 and kind not in (*MOVING, *PAGED):
        raise ValueError(f"it holds {count} pictures, and those of {kind} are not kept here")
    reader = _Reader(path, image, max_pixels, srgb=srgb, moving=count > 1 and kind in MOVING)
    # What PNG notes behind its pixels, and the orientation of some formats, is known once the first is decoded.
    first = reader.frame(0)
    metadata, left_out = reader.metadata_and_notes(scale)
    if count == 1:
        # Pillow's copy of a large picture would stay as long as it is enlarged.
        image.close()
    skipped = 1 if count > 1 and image.info.get("default_image") else 0
    if skipped:
        notes = (*notes, "the picture that stands in where it does not move is left out")
        first, count = reader.frame(1), count - 1
    rest = (reader.guarded_frame(index) for index in range(1 + skipped, count + skipped))
    frames = itertools.chain([first], rest)
    return Picture(kind, count, reader.moving and count > 1, metadata, frames, (*notes, *left_out))


class _Reader:
    """Decodes the frames of one file."""

    def __init__(self, path: Path, image: Image.Image, max_pixels: int, *, srgb: bool, moving: bool) -> None:
        self._path, self._image, self._max_pixels, self._srgb = path, image, max_pixels, srgb
        self.moving = moving
        self._foreign: str | None = None

    def frame(self, index: int) -> Frame:
        """Decode a frame; raises whatever Pillow does, and ValueError for what is not kept here."""
        image = self._image
        if index:
            image.seek(index)
        pixels = image.width * image.height
        if pixels > self._max_pixels:
            raise ValueError(
                f"it has {image.width}x{image.height} pixels, more than {self._max_pixels}; where it is meant, "
                f"allow it by --max-pixels {pixels}"
            )
        upright_pixels = upright(self._numbers(index), orientation_of(image))
        duration = image.info.get("duration", 0)
        return Frame(self._in_srgb(upright_pixels), float(duration) if isinstance(duration, int | float) else 0.0)

    def guarded_frame(self, index: int) -> Frame:
        """Decode a frame; raises InputError."""
        with readable(self._path), any_size():
            return self.frame(index)

    def metadata_and_notes(self, scale: int) -> tuple[Metadata, tuple[str, ...]]:
        """Return what the picture carries once its first frame is decoded, and what is not kept of it."""
        found, notes = metadata_of(self._image, scale)
        if self._foreign is not None:
            by = "its profile" if found.icc is not None and is_for(found.icc, "cmyk") else "a plain formula"
            notes = (*notes, f"its {self._foreign} became sRGB by {by}, as networks take RGB")
        if self._foreign is not None or (self._srgb and found.icc is not None):
            found = _as_srgb(found)
        return found, notes

    def _numbers(self, index: int) -> Pixels:
        """Return the pixels as they lie in the file, but in RGB where they are CMYK or Lab."""
        if self._image.mode not in FOREIGN_MODES or self.moving:
            return decoded(self._path, self._image, index, with_alpha=self.moving)
        self._foreign = self._image.mode
        self._image.load()
        return from_foreign(self._image, self._image.info.get("icc_profile"))

    def _in_srgb(self, pixels: Pixels) -> Pixels:
        icc = self._image.info.get("icc_profile")
        if not icc or self._foreign is not None:
            return pixels
        if self._srgb:
            return to_srgb(np.ascontiguousarray(pixels), icc)
        if pixels.shape[2] < 3 and is_for(icc, "rgb"):
            # Three equal numbers mean under it what they did; one number in a file of its own has no such profile.
            return np.concatenate([np.repeat(pixels[..., :1], 3, axis=2), pixels[..., 1:]], axis=2)
        return pixels


def _as_srgb(found: Metadata) -> Metadata:
    """Return what a picture carries once its numbers are sRGB's, for which they are taken without a word."""
    return Metadata(exif=found.exif, xmp=found.xmp, dpi=found.dpi, text=found.text, plays=found.plays)
