"""EXIF, which is a TIFF structure: directories of tags, read, changed, and written at another place."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

ORIENTATION, EXIF_DIRECTORY, GPS_DIRECTORY, INTEROPERABILITY = 274, 34665, 34853, 40965
_PIXEL_WIDTH, _PIXEL_HEIGHT = 40962, 40963
# Directories inside directories, by the one they are in; nothing is nested deeper, so that no loop can be.
_NESTED = {0: (EXIF_DIRECTORY, GPS_DIRECTORY), EXIF_DIRECTORY: (INTEROPERABILITY,)}
# TIFF's types: bytes of a value, and of the numbers in it that a byte order applies to.
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 2, 3, 4, 5, 7, 16
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_UNITS = {**_SIZES, 5: 4, 10: 4}
# What a sane tag stays under; a MakerNote has some hundred thousand.
_MOST_BYTES, _MOST_TAGS = 2**26, 4096


@dataclass(frozen=True)
class Tag:
    """A tag of a directory.

    Attributes:
        number: What it is.
        kind: The type of its values.
        data: Its values, little-endian.
        children: The tags of the directory that it is, if it is one.
    """

    number: int
    kind: int
    data: bytes
    children: tuple["Tag", ...] = ()

    @property
    def count(self) -> int:
        """How many values it has."""
        return len(self.data) // _SIZES[self.kind]


def tags_of(stream: BinaryIO) -> tuple[Tag, ...]:
    """Return the tags of the first directory of a TIFF structure, and of those inside it.

    Args:
        stream: A TIFF file, or EXIF without its six bytes in front.

    Raises:
        ValueError: Where it is none, or broken.
    """
    stream.seek(0)
    head = stream.read(8)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4])
    if order is None or len(head) < 8:
        raise ValueError("its EXIF is no TIFF structure")
    return _directory(stream, order, struct.unpack(f"{order}I", head[4:])[0], 0)


def reset(exif: bytes, scale: int) -> bytes:
    """Return EXIF for the picture after it was turned upright and enlarged.

    It is changed in place, so that what points into it from within, as makers' notes do, still does.

    Args:
        exif: A TIFF structure.
        scale: How many times as high and wide the picture becomes.

    Returns:
        The same with orientation 1, the new size where one was noted, and without the thumbnail.

    Raises:
        ValueError: Where it is broken.
    """
    changed = bytearray(exif)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    try:
        if order is None:
            raise ValueError("its EXIF is no TIFF structure")
        (first,) = struct.unpack_from(f"{order}I", exif, 4)
        after, nested, turned = _reset_directory(changed, order, first, scale, turned=False)
        struct.pack_into(f"{order}I", changed, after, 0)
        if nested:
            _reset_directory(changed, order, nested, scale, turned=turned)
    except struct.error as error:
        raise ValueError("its EXIF is broken") from error
    return bytes(changed)


def serialized(tags: Iterable[Tag], at: int = 8, *, big: bool = False) -> bytes:
    """Return a directory, little-endian, that is to lie at an offset, with what it points to right behind it.

    Args:
        tags: In any order.
        at: The offset, even.
        big: Whether offsets have 8 bytes, as in BigTIFF.
    """
    entry, count_format, room = ("<HHQ", "<Q", 8) if big else ("<HHI", "<H", 4)
    tags = sorted(tags, key=lambda tag: tag.number)
    behind_at = at + struct.calcsize(count_format) + len(tags) * (struct.calcsize(entry) + room) + room
    table, behind = bytearray(struct.pack(count_format, len(tags))), bytearray()
    for tag in tags:
        content = tag.data
        if tag.children:
            content = serialized(tag.children, behind_at + len(behind), big=big)
        if tag.children or len(content) > room:
            field = (behind_at + len(behind)).to_bytes(room, "little")
            behind += content + b"\0" * (len(content) % 2)
        else:
            field = content.ljust(room, b"\0")
        kind, count = (LONG8 if big else LONG, 1) if tag.children else (tag.kind, tag.count)
        table += struct.pack(entry, tag.number, kind, count) + field
    return bytes(table) + b"\0" * room + bytes(behind)


def as_exif(tags: Iterable[Tag]) -> bytes:
    """Return tags as EXIF: a TIFF structure of their own."""
    return b"II*\0\x08\0\0\0" + serialized(tags)


def without(tags: Iterable[Tag], numbers: Iterable[int]) -> tuple[Tag, ...]:
    """Return tags without some."""
    left_out = set(numbers)
    return tuple(tag for tag in tags if tag.number not in left_out)


def _directory(stream: BinaryIO, order: str, at: int, inside: int) -> tuple[Tag, ...]:
    """Read the tags of the directory at an offset; inside: the number of the directory that it is, 0 for the first."""
    stream.seek(at)
    try:
        (count,) = struct.unpack(f"{order}H", stream.read(2))
        entries = [struct.unpack(f"{order}HHI4s", stream.read(12)) for _ in range(min(count, _MOST_TAGS))]
    except struct.error as error:
        raise ValueError("its EXIF is broken") from error
    found = []
    for number, kind, values, field in entries:
        if kind not in _SIZES:
            continue
        offset = struct.unpack(f"{order}I", field)[0]
        if number in _NESTED.get(inside, ()):
            found.append(Tag(number, LONG, b"\0\0\0\0", _directory(stream, order, offset, number)))
            continue
        size = values * _SIZES[kind]
        if size > _MOST_BYTES:
            raise ValueError("its EXIF is broken")
        found.append(Tag(number, kind, _little_endian(_read(stream, offset, size, field), kind, order)))
    return tuple(tag for tag in found if tag.children or tag.data)


def _read(stream: BinaryIO, offset: int, size: int, field: bytes) -> bytes:
    if size <= 4:
        return field[:size]
    stream.seek(offset)
    data = stream.read(size)
    if len(data) != size:
        raise ValueError("its EXIF is broken")
    return data


def _little_endian(data: bytes, kind: int, order: str) -> bytes:
    unit = _UNITS[kind]
    return data if order == "<" or unit == 1 else np.frombuffer(data, f">u{unit}").astype(f"<u{unit}").tobytes()


def _reset_directory(changed: bytearray, order: str, at: int, scale: int, *, turned: bool) -> tuple[int, int, bool]:
    """Reset a directory; returns where its pointer to the next lies, where the Exif one does, and if it was turned."""
    (count,) = struct.unpack_from(f"{order}H", changed, at)
    nested = 0
    entries = range(at + 2, at + 2 + 12 * count, 12)
    for entry in entries:
        number, kind, _ = struct.unpack_from(f"{order}HHI", changed, entry)
        if number == ORIENTATION:
            turned = _number(changed, order, entry, kind) in (5, 6, 7, 8)
            struct.pack_into(f"{order}HHIHH", changed, entry, ORIENTATION, SHORT, 1, 1, 0)
        elif number == EXIF_DIRECTORY:
            (nested,) = struct.unpack_from(f"{order}I", changed, entry + 8)
    sizes = {}
    for entry in entries:
        number, kind, _ = struct.unpack_from(f"{order}HHI", changed, entry)
        if number in (_PIXEL_WIDTH, _PIXEL_HEIGHT):
            sizes[number] = (entry, _number(changed, order, entry, kind))
    for number, (entry, size) in sizes.items():
        other = _PIXEL_WIDTH + _PIXEL_HEIGHT - number
        size = sizes[other][1] if turned and other in sizes else size
        if size * scale < 2**32:
            struct.pack_into(f"{order}HHII", changed, entry, number, LONG, 1, size * scale)
    return at + 2 + 12 * count, nested, turned


def _number(changed: bytearray, order: str, entry: int, kind: int) -> int:
    value: int = struct.unpack_from(f"{order}{'H' if kind == SHORT else 'I'}", changed, entry + 8)[0]
    return value


def resized(tags: Iterable[Tag], scale: int) -> tuple[Tag, ...]:
    """Return tags with the size that the Exif directory notes made so many times larger."""

    def larger(tag: Tag) -> Tag:
        if tag.number not in (_PIXEL_WIDTH, _PIXEL_HEIGHT) or len(tag.data) not in (2, 4):
            return tag
        size = int.from_bytes(tag.data, "little") * scale
        return replace(tag, kind=LONG, data=size.to_bytes(4, "little")) if size < 2**32 else tag

    return tuple(replace(tag, children=tuple(map(larger, tag.children))) if tag.children else tag for tag in tags)
