"""What a format holds is written, and what it does not hold is said before."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sr.config import PICTURE_FORMATS
from sr.errors import InputError
from sr.pictures.exif import reset
from sr.pictures.picture import Frame, FrameRows, Layout, Metadata
from sr.pictures.reading import opened
from sr.pictures.writing import FORMATS, format_for, lost_in, opaque, require_room, write

RGB = Layout(6, 9, 3, 8)


def test_every_format_that_a_user_may_name_is_written(tmp_path: Path, exif: bytes) -> None:
    assert set(PICTURE_FORMATS) == set(FORMATS) - {"gif"}
    pixels = np.full((6, 9, 3), 77, np.uint8)
    for name, held in FORMATS.items():
        path = tmp_path / f"a{held.suffix}"
        write(path, name, iter([FrameRows(RGB, [pixels])]), Metadata(exif=reset(exif, 1)), count=1)
        with opened(path) as picture:
            assert np.array_equal(next(picture.frames).pixels[..., :3], pixels)
            assert (picture.metadata.exif is not None) == ("exif" in held.carries)
    assert len(list(tmp_path.iterdir())) == len(FORMATS)


@pytest.mark.parametrize(
    ("kind", "count", "asked", "name"),
    [("JPEG", 1, None, "png"), ("GIF", 1, None, "png"), ("GIF", 3, None, "gif"), ("WEBP", 3, None, "webp"),
     ("TIFF", 2, None, "tiff"), ("PNG", 2, None, "png"), ("GIF", 3, "webp", "webp"), ("JPEG", 1, "jpg", "jpg")],
)  # fmt: skip
def test_what_moves_keeps_its_format_and_the_rest_becomes_png(
    kind: str, count: int, asked: str | None, name: str
) -> None:
    assert format_for(kind, count, asked) == name


@pytest.mark.parametrize(
    ("name", "layout", "count", "moving", "message"),
    [("jpg", Layout(6, 9, 3, 16), 1, False, r"\.jpg cannot hold 16 bit; write png or tiff"),
     ("webp", Layout(6, 9, 1, 16), 1, False, r"\.webp cannot hold 16 bit"),
     ("jpg", Layout(6, 9, 4, 8), 1, False, r"\.jpg cannot hold transparency; write png, webp or tiff"),
     ("jpg", RGB, 3, True, r"\.jpg cannot hold its 3 frames"),
     ("png", RGB, 3, False, r"\.png cannot hold its 3 pages; write tiff"),
     ("webp", Layout(20_000, 9, 3, 8), 1, False, r"sides up to 16383, it becomes 9x20000"),
     ("jpg", Layout(60_000, 60_000, 3, 8), 100, False, "pages"),
     ("webp", Layout(16_000, 16_000, 4, 8), 10_000, True, "GiB are free; write png or tiff")],
)  # fmt: skip
def test_what_a_format_cannot_hold_is_one_line(
    name: str, layout: Layout, count: int, moving: bool, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        require_room(name, layout, count, moving=moving)
    assert "\n" not in str(caught.value)


def test_what_is_streamed_has_room_at_any_size() -> None:
    for name in ("png", "tiff"):
        require_room(name, Layout(400_000, 400_000, 3, 8), 1)


def test_alpha_that_hides_nothing_can_be_left_out() -> None:
    pixels = np.full((6, 9, 4), 255, np.uint8)
    assert opaque(Frame(pixels)).layout.channels == 3
    pixels[3, 3, 3] = 254
    assert opaque(Frame(pixels)).layout.channels == 4


def test_what_a_format_has_no_place_for_is_named() -> None:
    metadata = Metadata(dpi=(72, 72), gamma=1.0, text=(("a", "b"),))
    assert lost_in("png", metadata, RGB) == ()
    assert lost_in("webp", metadata, RGB) == ("resolution", "gamma", "texts")
    assert lost_in("jpg", Metadata(gamma=0.45455), RGB) == ()
    assert lost_in("jpg", Metadata(xmp=b"x" * 70_000), RGB) == ("XMP",)
    hdr, srgb = (Metadata(colour_code=bytes(code)) for code in ((9, 16, 0, 1), (1, 13, 0, 1)))
    assert lost_in("png", hdr, RGB) == lost_in("tiff", srgb, RGB) == ()
    assert lost_in("tiff", hdr, RGB) == ("colour code (cICP)",)
    assert lost_in("tiff", Metadata(), RGB, moving=True) == ("timing",)


def test_a_profile_for_grey_does_not_go_where_grey_has_three_channels(tmp_path: Path) -> None:
    metadata = Metadata(icc=b"x" * 16 + b"GRAY" + b"x" * 108)
    grey = np.full((6, 9, 1), 77, np.uint8)
    layout = Layout.of(grey)
    assert lost_in("webp", metadata, layout) == ("colour profile, which is for grey,",)
    write(tmp_path / "a.webp", "webp", iter([FrameRows(layout, [grey])]), metadata, count=1)
    with Image.open(tmp_path / "a.webp") as image:
        assert "icc_profile" not in image.info


def test_a_picture_that_fails_midway_leaves_no_file(tmp_path: Path) -> None:
    def bands():
        yield np.zeros((3, 9, 3), np.uint8)
        raise InputError("midway")

    with pytest.raises(InputError, match="midway"):
        write(tmp_path / "a.png", "png", iter([FrameRows(RGB, bands())]), Metadata(), count=1)
    assert list(tmp_path.iterdir()) == []
