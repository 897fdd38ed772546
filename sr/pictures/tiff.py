"""TIFF written strip by strip, page after page, in 8 and 16 bits; BigTIFF where 4 GiB might not do."""

import io
import struct
import zlib
from collections.abc import Iterable
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from sr.errors import InputError
from sr.pictures.exif import ASCII, BYTE, LONG, LONG8, RATIONAL, SHORT, UNDEFINED, Tag, serialized, tags_of
from sr.pictures.metadata import STORAGE_TAGS
from sr.pictures.picture import FrameRows, Metadata, Pixels

# TIFF 6.0's tags.
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _DESCRIPTION, _OFFSETS = 256, 257, 258, 259, 262, 270, 273
_SAMPLES, _STRIP_ROWS, _BYTE_COUNTS, _X_DPI, _Y_DPI, _PLANES, _RESOLUTION_UNIT = 277, 278, 279, 282, 283, 284, 296
_PAGE_NUMBER, _PREDICTOR, _EXTRA_SAMPLES, _XMP, _ICC = 297, 317, 338, 700, 34675
_DEFLATE, _HORIZONTAL, _BLACK_IS_ZERO, _RGB, _STRAIGHT_ALPHA, _INCH = 8, 2, 1, 2, 2, 2
_STRIP_BYTES = 2**20
_LEVEL = 4
# Of a file with offsets of 4 bytes, with some room for directories.
_CLASSIC_BYTES = 2**32 - 2**26


def write_tiff(handle: BinaryIO, frames: Iterable[FrameRows], metadata: Metadata, *, most_bytes: int) -> None:
    """Write pages.

    Args:
        handle: An empty file that can be read and sought in.
        frames: The pages, of any layouts.
        metadata: What the picture carries; it stands with the first page.
        most_bytes: What all pages take uncompressed, or an upper estimate: BigTIFF where that is 4 GiB.

    Raises:
        InputError: Where the pages are larger than `most_bytes` said, and too large.
    """
    # Deflate makes noise a little larger.
    big = most_bytes * 1.01 > _CLASSIC_BYTES
    handle.write(b"II\x2b\0\x08\0\0\0" + bytes(8) if big else b"II\x2a\0" + bytes(4))
    pointer = handle.tell() - (8 if big else 4)
    of_each = Metadata(icc=metadata.icc, dpi=metadata.dpi)
    for index, frame in enumerate(frames):
        tags = _page(handle, frame, big=big) + _carried(of_each if index else metadata)
        if index:
            tags.append(Tag(_PAGE_NUMBER, SHORT, struct.pack("<HH", index % 65536, 0)))
        pointer = _write_directory(handle, tags, pointer, big=big)


def _page(handle: BinaryIO, frame: FrameRows, *, big: bool) -> list[Tag]:
    """Write the strips of a page and return the tags that say how it is stored."""
    layout = frame.layout
    strip_rows = max(1, min(layout.height, _STRIP_BYTES // layout.row_bytes))
    offsets, counts = [], []
    for band in frame.regrouped(strip_rows):
        offsets.append(handle.tell())
        counts.append(handle.write(_strip(band)))
        if not big and handle.tell() > _CLASSIC_BYTES:
            raise InputError("its pages do not fit into a TIFF of 4 GiB; write it as png, or its pages one by one")
    tags = [
        _numbers(_WIDTH, LONG, layout.width),
        _numbers(_HEIGHT, LONG, layout.height),
        _numbers(_BITS, SHORT, *[layout.bits] * layout.channels),
        _numbers(_COMPRESSION, SHORT, _DEFLATE),
        _numbers(_PHOTOMETRIC, SHORT, _BLACK_IS_ZERO if layout.is_grey else _RGB),
        _numbers(_OFFSETS, LONG8 if big else LONG, *offsets),
        _numbers(_SAMPLES, SHORT, layout.channels),
        _numbers(_STRIP_ROWS, LONG, strip_rows),
        _numbers(_BYTE_COUNTS, LONG8 if big else LONG, *counts),
        _numbers(_PLANES, SHORT, 1),
        _numbers(_PREDICTOR, SHORT, _HORIZONTAL),
    ]
    return [*tags, _numbers(_EXTRA_SAMPLES, SHORT, _STRAIGHT_ALPHA)] if layout.has_alpha else tags


def _strip(band: Pixels) -> bytes:
    """Return rows compressed, each value as its difference from the one of the same channel before it."""
    values = band.astype(band.dtype.newbyteorder("<"), copy=True)
    values[:, 1:] -= band[:, :-1]
    return zlib.compress(values.tobytes(), _LEVEL)


def _carried(metadata: Metadata) -> list[Tag]:
    """Return the tags that hold what a picture carries."""
    tags = []
    if metadata.exif is not None:
        tags += [tag for tag in tags_of(io.BytesIO(metadata.exif)) if tag.number not in STORAGE_TAGS]
    if metadata.xmp is not None:
        tags.append(Tag(_XMP, BYTE, metadata.xmp))
    if metadata.icc is not None:
        tags.append(Tag(_ICC, UNDEFINED, metadata.icc))
    if metadata.dpi is not None:
        tags += [_rational(_X_DPI, metadata.dpi[0]), _rational(_Y_DPI, metadata.dpi[1])]
        tags.append(_numbers(_RESOLUTION_UNIT, SHORT, _INCH))
    if metadata.text and not any(tag.number == _DESCRIPTION for tag in tags):
        lines = "\n".join(f"{key}: {text}" for key, text in metadata.text)
        tags.append(Tag(_DESCRIPTION, ASCII, lines.encode("utf-8", "replace") + b"\0"))
    return tags


def _write_directory(handle: BinaryIO, tags: list[Tag], pointer: int, *, big: bool) -> int:
    """Write a page's directory and point to it from `pointer`; returns where its own pointer to the next lies."""
    handle.write(b"\0" * (handle.tell() % 2))
    at = handle.tell()
    handle.write(serialized(tags, at, big=big))
    end = handle.tell()
    handle.seek(pointer)
    handle.write(struct.pack("<Q" if big else "<I", at))
    handle.seek(end)
    return at + (8 + 20 * len(tags) if big else 2 + 12 * len(tags))


def _numbers(number: int, kind: int, *values: int) -> Tag:
    return Tag(number, kind, np.asarray(values, {SHORT: "<u2", LONG: "<u4", LONG8: "<u8"}[kind]).tobytes())


def _rational(number: int, value: float) -> Tag:
    fraction = Fraction(value).limit_denominator(10_000)
    return Tag(number, RATIONAL, struct.pack("<II", fraction.numerator, fraction.denominator))
