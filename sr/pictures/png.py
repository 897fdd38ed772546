"""PNG written row by row, at 8 and 16 bits, with what a picture carries; Pillow takes it whole and at 8 bits."""

import math
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sr.pictures.picture import FrameRows, Layout, Metadata, Pixels

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}
_INCHES_PER_METRE = 1 / 0.0254
# Rows are filtered and compressed in groups of about so many bytes: what is in memory at once is a few times that.
_GROUP_BYTES = 2**22
# Of zlib: from 6 on it takes twice the time for a hundredth.
_LEVEL = 4
_SUB, _UP, _AVERAGE = 1, 2, 3
_KEYWORD_BYTES = 79


def write_png(handle: BinaryIO, frame: FrameRows, metadata: Metadata) -> None:
    """Write one frame.

    Args:
        handle: An empty file.
        frame: Of any layout.
        metadata: What it carries.
    """
    layout = frame.layout
    handle.write(_SIGNATURE)
    header = struct.pack(">IIBBBBB", layout.width, layout.height, layout.bits, _COLOUR_TYPE[layout.channels], 0, 0, 0)
    _chunk(handle, b"IHDR", header)
    for kind, content in carried(metadata):
        _chunk(handle, kind, content)
    compressor = zlib.compressobj(_LEVEL, strategy=zlib.Z_FILTERED)
    for rows in _filtered(frame, layout):
        _chunk(handle, b"IDAT", compressor.compress(rows))
    _chunk(handle, b"IDAT", compressor.flush())
    _chunk(handle, b"IEND", b"")


def carried(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks, kind and content, that hold what a picture carries, in an order in which they may stand."""
    yield from _colours(metadata)
    if metadata.dpi is not None:
        across, down = (round(each * _INCHES_PER_METRE) for each in metadata.dpi)
        yield b"pHYs", struct.pack(">IIB", across, down, 1)
    if metadata.exif is not None:
        yield b"eXIf", metadata.exif
    if metadata.xmp is not None:
        yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp
    for key, text in metadata.text:
        yield _text_chunk(key, text)


def _colours(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    if metadata.colour_code is not None:
        yield b"cICP", metadata.colour_code
    if metadata.icc is not None:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)
    elif metadata.srgb_intent is not None:
        yield b"sRGB", bytes([metadata.srgb_intent])
    if metadata.gamma is not None:
        yield b"gAMA", struct.pack(">I", round(metadata.gamma * 100_000))
    if metadata.chromaticity is not None:
        yield b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in metadata.chromaticity))


def _text_chunk(key: str, text: str) -> tuple[bytes, bytes]:
    keyword = key.encode("latin-1", "replace")[:_KEYWORD_BYTES].strip() or b"Comment"
    try:
        return b"tEXt", keyword + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", keyword + b"\0\0\0\0\0" + text.encode("utf-8", "replace")


def _chunk(handle: BinaryIO, kind: bytes, content: bytes) -> None:
    """Write one chunk: length, kind, content, CRC; none for an IDAT of nothing."""
    if kind == b"IDAT" and not content:
        return
    handle.write(struct.pack(">I", len(content)) + kind)
    handle.write(content)
    handle.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))


def _filtered(frame: FrameRows, layout: Layout) -> Iterator[bytes]:
    """Yield the rows, each behind the number of its filter: of three the one with the smallest differences."""
    step = layout.channels * layout.bits // 8
    above = np.zeros(layout.row_bytes, np.uint8)
    for band in frame.regrouped(max(1, _GROUP_BYTES // layout.row_bytes)):
        rows = _as_bytes(band)
        ups = np.vstack([above, rows[:-1]])
        lefts = np.zeros_like(rows)
        lefts[:, step:] = rows[:, :-step]
        above = rows[-1].copy()
        best, least = np.empty((len(rows), rows.shape[1] + 1), np.uint8), np.full(len(rows), math.inf)
        for kind, predicted in ((_UP, ups), (_SUB, lefts), (_AVERAGE, (lefts & ups) + ((lefts ^ ups) >> 1))):
            differences = rows - predicted
            # As signed bytes: 255 is as near to 0 as 1 is.
            size = np.minimum(differences, -differences).sum(axis=1, dtype=np.int64)
            smaller = size < least
            least[smaller] = size[smaller]
            best[smaller, 0], best[smaller, 1:] = kind, differences[smaller]
        yield best.tobytes()


def _as_bytes(band: Pixels) -> NDArray[np.uint8]:
    """Return (rows, w, c) as (rows, bytes), 16 bits with the high byte first."""
    return (
        np.ascontiguousarray(band)
        .astype(band.dtype.newbyteorder(">"), copy=False)
        .view(np.uint8)
        .reshape(len(band), -1)
    )
