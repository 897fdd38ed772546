"""PNG written row by row, at 8 and 16 bits, with what a picture carries; Pillow takes it whole and at 8 bits."""

import math
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sr.pictures.picture import FrameRows, Layout, Metadata, Pixels

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}
_INCHES_PER_METRE = 1 / 0.0254
# Rows are filtered and compressed in groups of about so many bytes, each apart from the others, by threads: what is in
# memory at once is a few times that for each.
_GROUP_BYTES = 2**21
_MOST_THREADS = 8
# Of zlib: from 6 on it takes twice the time for a hundredth.
_LEVEL = 4
# What stands at the beginning of zlib's format: a window of 32 KiB, compressed fast. And its end: a block of nothing.
_ZLIB_HEAD, _LAST_BLOCK = b"\x78\x5e", b"\x03\x00"
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
    _chunk(handle, b"IDAT", _ZLIB_HEAD)
    check = zlib.adler32(b"")
    for filtered, compressed in _compressed(frame, layout):
        check = zlib.adler32(filtered, check)
        _chunk(handle, b"IDAT", compressed)
    _chunk(handle, b"IDAT", _LAST_BLOCK + struct.pack(">I", check))
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
    """Write one chunk: length, kind, content, CRC."""
    handle.write(struct.pack(">I", len(content)) + kind)
    handle.write(content)
    handle.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))


def _compressed(frame: FrameRows, layout: Layout) -> Iterator[tuple[bytes, bytes]]:
    """Yield the rows in groups, filtered, and each as blocks of deflate that need nothing of those before them."""
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    waiting: deque[Future[tuple[bytes, bytes]]] = deque()
    above = np.zeros((1, layout.row_bytes), np.uint8)
    with ThreadPoolExecutor(threads) as pool:
        for band in frame.regrouped(max(1, _GROUP_BYTES // layout.row_bytes)):
            rows = _as_bytes(band)
            waiting.append(pool.submit(_deflated, above, rows, layout.channels * layout.bits // 8))
            above = rows[-1:].copy()
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _deflated(above: NDArray[np.uint8], rows: NDArray[np.uint8], step: int) -> tuple[bytes, bytes]:
    """Return rows below another one filtered, and that compressed up to the end of a byte."""
    filtered = _filtered(above, rows, step)
    compressor = zlib.compressobj(_LEVEL, wbits=-zlib.MAX_WBITS, strategy=zlib.Z_FILTERED)
    return filtered, compressor.compress(filtered) + compressor.flush(zlib.Z_SYNC_FLUSH)


def _filtered(above: NDArray[np.uint8], rows: NDArray[np.uint8], step: int) -> bytes:
    """Return rows, each behind the number of its filter: of three the one with the smallest differences.

    Args:
        above: (1, bytes), the row above the first.
        rows: (rows, bytes).
        step: Bytes of a pixel.
    """
    ups = np.vstack([above, rows[:-1]])
    lefts = np.zeros_like(rows)
    lefts[:, step:] = rows[:, :-step]
    best, least = np.empty((len(rows), rows.shape[1] + 1), np.uint8), np.full(len(rows), math.inf)
    for kind, predicted in ((_UP, ups), (_SUB, lefts), (_AVERAGE, (lefts & ups) + ((lefts ^ ups) >> 1))):
        differences = rows - predicted
        # As signed bytes: 255 is as near to 0 as 1 is.
        size = np.minimum(differences, -differences).sum(axis=1, dtype=np.int64)
        smaller = size < least
        least[smaller] = size[smaller]
        best[smaller, 0], best[smaller, 1:] = kind, differences[smaller]
    return best.tobytes()


def _as_bytes(band: Pixels) -> NDArray[np.uint8]:
    """Return (rows, w, c) as (rows, bytes), 16 bits with the high byte first."""
    return (
        np.ascontiguousarray(band)
        .astype(band.dtype.newbyteorder(">"), copy=False)
        .view(np.uint8)
        .reshape(len(band), -1)
    )
