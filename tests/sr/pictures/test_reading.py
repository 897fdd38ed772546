"""A picture is read whole and upright, or says in one line why not."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from sr.errors import InputError
from sr.pictures.picture import Frame, Metadata
from sr.pictures.reading import frames_of, opened


def read(path: Path, **options: object) -> tuple[list[Frame], Metadata, tuple[str, ...]]:
    with opened(path, **options) as picture:
        frames = list(picture.frames)
        assert len(frames) == picture.count
        return frames, picture.metadata, picture.notes


def test_pixels_are_turned_upright_and_the_orientation_reset(tmp_path: Path, exif: bytes) -> None:
    rgb = np.zeros((5, 7, 3), np.uint8)
    rgb[0, 0] = 255
    Image.fromarray(rgb).save(tmp_path / "a.png", exif=b"Exif\0\0" + exif)
    (frame,), metadata, _ = read(tmp_path / "a.png")
    assert frame.layout.height == 7
    assert frame.pixels[0, 4].tolist() == [255] * 3
    back = Image.Exif()
    back.load(b"Exif\0\0" + metadata.exif)
    assert back[274] == 1


def test_every_frame_of_an_animation_is_read(animation: Path) -> None:
    assert frames_of(animation) == ("GIF", 3)
    with opened(animation) as picture:
        assert (picture.kind, picture.moving, picture.metadata.plays) == ("GIF", True, 0)
    frames, _, _ = read(animation)
    assert [frame.milliseconds for frame in frames] == [100, 200, 300]
    assert [frame.pixels[0, 0].tolist() for frame in frames] == [[red, 0, 0, 255] for red in (0, 120, 240)]
    assert (frames[2].pixels[:, 6:, 3] == 0).all()


def test_every_page_of_a_tiff_is_read_at_its_own_size_and_depth(tmp_path: Path) -> None:
    pages = [np.full((5, 7, 3), 9, np.uint8), np.full((6, 4), 999, np.uint16)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(pages[0], photometric="rgb")
        writer.write(pages[1], photometric="minisblack")
    with opened(tmp_path / "a.tif") as picture:
        assert not picture.moving
    frames, _, _ = read(tmp_path / "a.tif")
    assert np.array_equal(frames[0].pixels, pages[0])
    assert np.array_equal(frames[1].pixels[..., 0], pages[1])


def test_the_photograph_of_several_is_read_and_the_others_are_said(tmp_path: Path) -> None:
    photo, preview = Image.new("RGB", (8, 6), "red"), Image.new("RGB", (4, 3), "blue")
    photo.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[preview])
    frames, _, notes = read(tmp_path / "a.jpg")
    assert [frame.layout.width for frame in frames] == [8]
    assert "1 pictures behind the photograph" in notes[0]


def test_cmyk_becomes_srgb_and_that_is_said(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 6), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    (frame,), metadata, notes = read(tmp_path / "a.tif")
    assert frame.pixels[0, 0].tolist() == [255, 0, 0]
    assert metadata.icc is None
    assert "its CMYK became sRGB by a plain formula" in notes[0]


def test_a_profile_is_kept_or_converted_from(tmp_path: Path, srgb_icc: bytes) -> None:
    Image.new("RGB", (8, 6), (200, 100, 50)).save(tmp_path / "a.png", icc_profile=srgb_icc)
    (kept,), metadata, _ = read(tmp_path / "a.png")
    assert (metadata.icc, kept.pixels[0, 0].tolist()) == (srgb_icc, [200, 100, 50])
    (converted,), metadata, _ = read(tmp_path / "a.png", srgb=True)
    assert metadata.icc is None
    assert converted.pixels[0, 0].tolist() == pytest.approx([200, 100, 50], abs=1)


def test_grey_under_a_profile_of_rgb_has_three_equal_channels(tmp_path: Path, srgb_icc: bytes) -> None:
    Image.new("L", (8, 6), 77).save(tmp_path / "a.jpg", icc_profile=srgb_icc)
    (frame,), metadata, _ = read(tmp_path / "a.jpg")
    assert (frame.layout.channels, metadata.icc) == (3, srgb_icc)
    assert (frame.pixels == frame.pixels[..., :1]).all()


def test_a_picture_over_the_limit_says_what_allows_it(tmp_path: Path) -> None:
    Image.new("L", (8, 6)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"8x6 pixels, more than 47; .*--max-pixels 48"):
        read(tmp_path / "a.png", max_pixels=47)
    assert len(read(tmp_path / "a.png", max_pixels=48)[0]) == 1


def test_a_picture_over_pillows_own_limit_is_read_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (8, 6)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert len(read(tmp_path / "a.png")[0]) == 1
    assert Image.MAX_IMAGE_PIXELS == 10


def test_what_is_no_picture_is_one_line(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("cut", "text", "empty", "folder", "loop", "pipe", "missing"):
        with pytest.raises(InputError) as caught:
            read(tmp_path / f"{name}.png")
        assert f"{name}.png" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_an_error_of_the_reader_is_not_taken_for_the_files(tmp_path: Path) -> None:
    Image.new("L", (8, 6)).save(tmp_path / "a.png")
    with pytest.raises(KeyError), opened(tmp_path / "a.png"):
        raise KeyError("of another matter")


def test_a_later_frame_that_is_cut_off_is_one_line(animation: Path) -> None:
    content = animation.read_bytes()
    animation.write_bytes(content[: len(content) - 30])
    with pytest.raises(InputError, match=r"moving\.gif"):
        read(animation)
