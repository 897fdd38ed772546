"""Pictures written in each format, complete or not at all; what a format cannot hold is said before, in one line."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sr.errors import InputError
from sr.files import replacing
from sr.memory import free_bytes
from sr.pictures.by_pillow import (
    frame_bytes,
    too_long_for_jpeg,
    write_animated_png,
    write_gif,
    write_jpeg,
    write_webp,
)
from sr.pictures.colour import is_for
from sr.pictures.picture import Frame, FrameRows, Layout, Metadata
from sr.pictures.png import write_png
from sr.pictures.tiff import write_tiff


@dataclass(frozen=True)
class Format:
    """What a format holds.

    Attributes:
        suffix: Of its files.
        bits: The most of a value.
        longest_side: In pixels.
        alpha: Whether it holds transparency.
        moving: Whether it holds the frames of an animation; pages are in TIFF alone.
        streamed: Whether it is written row by row; else all frames are in memory.
        carries: Which fields of `Metadata`.
    """

    suffix: str
    bits: int
    longest_side: int
    alpha: bool
    moving: bool
    streamed: bool
    carries: frozenset[str]


_COMMON = frozenset(("icc", "exif", "xmp"))
# By the name that --format takes, and GIF, which is written where an animated one was given.
FORMATS = {
    "png": Format(".png", bits=16, longest_side=2**31 - 1, alpha=True, moving=True, streamed=True,
                  carries=_COMMON | {"dpi", "gamma", "chromaticity", "srgb_intent", "colour_code", "text"}),
    "jpg": Format(".jpg", bits=8, longest_side=65_500, alpha=False, moving=False, streamed=False,
                  carries=_COMMON | {"dpi", "text"}),
    "webp": Format(".webp", bits=8, longest_side=16_383, alpha=True, moving=True, streamed=False, carries=_COMMON),
    "tiff": Format(".tif", bits=16, longest_side=2**32 - 1, alpha=True, moving=True, streamed=True,
                   carries=_COMMON | {"dpi", "text"}),
    "gif": Format(".gif", bits=8, longest_side=65_535, alpha=True, moving=True, streamed=False,
                  carries=frozenset(("text",))),
}  # fmt: skip
# Which format an animation or pages keep where none is asked for; everything else becomes PNG.
_KEPT = {"GIF": "gif", "WEBP": "webp", "TIFF": "tiff"}
_SRGB_CHROMATICITIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_SRGB_COLOUR_CODE = bytes((1, 13, 0, 1))
_WORDS = {"icc": "colour profile", "colour_code": "colour code (cICP)", "exif": "EXIF", "xmp": "XMP",
          "dpi": "resolution", "gamma": "gamma", "chromaticity": "chromaticities", "text": "texts",
          "comment": "comment"}  # fmt: skip


def format_for(kind: str, count: int, asked: str | None) -> str:
    """Return the key of `FORMATS` that a picture is written in.

    Args:
        kind: Pillow's name of the format that it came in.
        count: How many frames it has.
        asked: What the user named, None for nothing.
    """
    return asked or (_KEPT.get(kind, "png") if count > 1 else "png")


def require_room(name: str, layout: Layout, count: int, *, moving: bool = False) -> None:
    """Raise InputError, without a path, where a format or this machine's memory cannot hold a picture as it is written.

    Args:
        name: A key of `FORMATS`.
        layout: Of a frame as it is written.
        count: How many there are.
        moving: Whether they are an animation rather than pages.
    """
    held = FORMATS[name]
    if count > 1 and not moving and name != "tiff":
        raise InputError(f"{held.suffix} cannot hold its {count} pages; write tiff")
    if count > 1 and not held.moving:
        raise InputError(f"{held.suffix} cannot hold its {count} frames; write png, webp or tiff")
    if layout.bits > held.bits:
        raise InputError(f"{held.suffix} cannot hold {layout.bits} bit; write png or tiff")
    if layout.has_alpha and not held.alpha:
        raise InputError(f"{held.suffix} cannot hold transparency; write png, webp or tiff")
    longest = max(layout.height, layout.width)
    if longest > held.longest_side:
        size = f"{layout.width}x{layout.height}"
        raise InputError(f"{held.suffix} holds sides up to {held.longest_side}, it becomes {size}; write png or tiff")
    if held.streamed and (count == 1 or name == "tiff"):
        return
    needed, free = count * frame_bytes(FrameRows(layout, ())), free_bytes()
    if needed > free:
        raise InputError(
            f"{held.suffix} is written from memory, {needed / 2**30:.1f} GiB of it, and {free / 2**30:.1f} GiB are "
            "free; write png or tiff, which are not"
        )


def opaque(frame: Frame) -> Frame:
    """Return a frame without its alpha where all of it is opaque, else the frame as it is."""
    if not frame.layout.has_alpha or (frame.pixels[..., -1] != np.iinfo(frame.pixels.dtype).max).any():
        return frame
    return replace(frame, pixels=frame.pixels[..., :-1])


def lost_in(name: str, metadata: Metadata, layout: Layout, *, moving: bool = False) -> tuple[str, ...]:
    """Return what of a picture a format has no place for, in words: nothing is lost without being said."""
    if metadata.icc is not None or _means_srgb(metadata):
        # They say nothing then that is not said, or taken for granted, elsewhere.
        metadata = replace(metadata, gamma=None, chromaticity=None)
    if metadata.colour_code == _SRGB_COLOUR_CODE:
        metadata = replace(metadata, colour_code=None)
    lost = [word for field, word in _WORDS.items()
            if field not in FORMATS[name].carries and getattr(metadata, field, None)]  # fmt: skip
    if moving and name == "tiff":
        lost.append("timing")
    if name == "jpg":
        lost += [_WORDS[field] for field in too_long_for_jpeg(metadata)]
    if name == "webp" and _grey_profile(metadata, layout):
        lost.append("colour profile, which is for grey,")
    return tuple(lost)


def write(
    path: Path, name: str, frames: Iterator[FrameRows], metadata: Metadata, *, count: int, quality: int | None = None
) -> None:
    """Write a picture.

    Args:
        path: The file.
        name: A key of `FORMATS`.
        frames: As many as `count`, each asked for once the one before it is written.
        metadata: What it carries.
        count: How many frames there are.
        quality: Of JPEG and WebP, 1 to 100; None for 95 in JPEG and no loss in WebP.

    Raises:
        InputError: Where the file cannot be written.
    """
    first = next(frames)
    if name == "webp" and _grey_profile(metadata, first.layout):
        metadata = replace(metadata, icc=None)

    def each() -> Iterator[FrameRows]:
        yield first
        yield from frames

    with replacing(path) as temporary, temporary.open("w+b") as handle:
        if name == "png" and count == 1:
            write_png(handle, first, metadata)
        elif name == "png":
            write_animated_png(handle, each(), metadata)
        elif name == "tiff":
            write_tiff(handle, each(), metadata, most_bytes=2 * count * first.layout.total_bytes if count > 1 else
                       first.layout.total_bytes)  # fmt: skip
        elif name == "jpg":
            write_jpeg(handle, first, metadata, quality)
        elif name == "webp":
            write_webp(handle, each(), metadata, quality)
        else:
            write_gif(handle, each(), metadata)


def _means_srgb(metadata: Metadata) -> bool:
    """Return whether gamma and chromaticities are sRGB's as PNG writes them, where there are any."""
    near = metadata.gamma is None or abs(metadata.gamma - 1 / 2.2) < 0.001
    return near and (
        metadata.chromaticity is None or np.allclose(metadata.chromaticity, _SRGB_CHROMATICITIES, atol=0.001)
    )


def _grey_profile(metadata: Metadata, layout: Layout) -> bool:
    """Return whether a profile is for one channel, which a format of three would not mean by it."""
    return layout.is_grey and metadata.icc is not None and is_for(metadata.icc, "grey")
