"""EXIF is kept, but for what no longer holds of an upright, larger picture."""

import io
import struct

import pytest
from PIL import ExifTags, Image

from sr.pictures.exif import LONG, SHORT, Tag, as_exif, reset, resized, serialized, tags_of, without


def read(exif: bytes) -> Image.Exif:
    found = Image.Exif()
    found.load(b"Exif\0\0" + exif)
    return found


def test_orientation_and_size_are_reset_and_the_rest_stays(exif: bytes) -> None:
    found = read(reset(exif, 4))
    assert (found[271], found[274]) == ("Maker", 1)
    inner = found.get_ifd(34665)
    # Turned by 90 degrees: 7x5 became 5x7.
    assert (inner[40962], inner[40963], inner[36867]) == (20, 28, "2026:01:02 03:04:05")
    assert inner[37500] == b"note of the maker"
    assert found.get_ifd(34853)[2] == (48.0, 8.0, 14.0)


def test_what_is_reset_lies_where_it_lay(exif: bytes) -> None:
    assert len(reset(exif, 4)) == len(exif)
    assert reset(exif, 4).index(b"note of the maker") == exif.index(b"note of the maker")


def test_the_thumbnail_is_unlinked() -> None:
    first = struct.pack(">HHHIHHI", 1, 274, 3, 1, 8, 0, 26)
    thumbnail = struct.pack(">HHHIHHI", 1, 259, 3, 1, 6, 0, 0)
    exif = b"MM\0*" + struct.pack(">I", 8) + first + thumbnail
    assert read(exif).get_ifd(ExifTags.IFD.IFD1) == {259: 6}
    assert read(reset(exif, 4)).get_ifd(ExifTags.IFD.IFD1) == {}
    assert read(reset(exif, 4))[274] == 1


@pytest.mark.parametrize("broken", [b"", b"II*\0", b"II*\0\x08\0\0\0", b"II*\0\xff\xff\0\0", b"GIF89a  "])
def test_what_is_broken_is_a_value_error(broken: bytes) -> None:
    with pytest.raises(ValueError, match="EXIF"):
        reset(broken, 4)
    with pytest.raises(ValueError, match="EXIF"):
        tags_of(io.BytesIO(broken))


def test_tags_survive_being_written_at_another_place(exif: bytes) -> None:
    tags = tags_of(io.BytesIO(exif))
    again = tags_of(io.BytesIO(as_exif(tags)))
    assert again == tuple(sorted(tags, key=lambda tag: tag.number))
    assert read(as_exif(without(tags, [271]))).get(271) is None
    assert read(as_exif(resized(tags, 4))).get_ifd(34665)[40962] == 28


def test_a_big_directory_has_offsets_of_eight_bytes() -> None:
    written = serialized([Tag(300, SHORT, b"\1\0\2\0\3\0\4\0\5\0"), Tag(256, LONG, b"\7\0\0\0")], 16, big=True)
    assert struct.unpack_from("<QHHQI", written) == (2, 256, LONG, 1, 7)
    assert struct.unpack_from("<HHQQ", written, 28) == (300, SHORT, 5, 16 + 8 + 40 + 8)
