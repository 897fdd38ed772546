"""JPEG, WebP, GIF and animated PNG, as they are read back."""

import io

import numpy as np
import pytest
from PIL import Image

from sr.pictures.by_pillow import jpeg_comment, too_long_for_jpeg, write_animated_png, write_gif, write_jpeg, write_webp
from sr.pictures.picture import FrameRows, Layout, Metadata


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def rows(pixels: np.ndarray, milliseconds: float = 0.0) -> FrameRows:
    return FrameRows(Layout.of(pixels), [pixels[:3], pixels[3:]], milliseconds)


def read(handle: io.BytesIO) -> Image.Image:
    image = Image.open(handle)
    image.load()
    return image


def test_jpeg_keeps_grey_and_what_is_carried(exif: bytes, srgb_icc: bytes) -> None:
    grey = np.full((6, 9, 1), 77, np.uint8)
    handle = io.BytesIO()
    metadata = Metadata(icc=srgb_icc, exif=exif, xmp=b"<x/>", dpi=(300, 300), text=(("Comment", "kept"),))
    write_jpeg(handle, rows(grey), metadata, None)
    image = read(handle)
    assert (image.mode, np.asarray(image).tolist()) == ("L", grey[..., 0].tolist())
    assert image.info["icc_profile"] == srgb_icc
    assert image.info["exif"] == b"Exif\0\0" + exif
    assert image.info["xmp"] == b"<x/>"
    assert (image.info["dpi"], image.info["comment"]) == ((300, 300), b"kept")


@pytest.mark.parametrize("kind", ["jpg", "webp"])
def test_a_lower_quality_is_smaller(kind: str) -> None:
    sizes = []
    for quality in (None, 30):
        handle, frame = io.BytesIO(), rows(noise(40, 40, 3))
        if kind == "jpg":
            write_jpeg(handle, frame, Metadata(), quality)
        else:
            write_webp(handle, [frame], Metadata(), quality)
        sizes.append(len(handle.getvalue()))
    assert sizes[1] < sizes[0]


def test_what_no_marker_of_jpeg_holds_is_left_out() -> None:
    metadata = Metadata(xmp=b"x" * 70_000, text=(("a", "b" * 70_000), ("c", "d")))
    assert too_long_for_jpeg(metadata) == ("xmp", "comment")
    handle = io.BytesIO()
    write_jpeg(handle, rows(noise(6, 9, 3)), metadata, None)
    assert "xmp" not in read(handle).info
    assert jpeg_comment(Metadata(text=(("a", "b"), ("c", "d")))) == b"a: b\nc: d"


@pytest.mark.parametrize("channels", [3, 4])
def test_webp_loses_nothing_and_keeps_what_is_carried(channels: int, exif: bytes, srgb_icc: bytes) -> None:
    pixels = noise(6, 9, channels)
    pixels[0, 0, -1] = 0
    handle = io.BytesIO()
    write_webp(handle, [rows(pixels)], Metadata(icc=srgb_icc, exif=exif, xmp=b"<x/>"), None)
    image = read(handle)
    assert np.array_equal(np.asarray(image), pixels)
    assert (image.info["icc_profile"], image.info["xmp"]) == (srgb_icc, b"<x/>")
    assert image.info["exif"].removeprefix(b"Exif\0\0") == exif


@pytest.mark.parametrize("kind", ["webp", "png", "gif"])
def test_an_animation_keeps_its_frames_and_times(kind: str) -> None:
    colours = ([255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 0])
    frames = [rows(np.full((6, 9, 4), colour, np.uint8), 100.0 * (1 + index)) for index, colour in enumerate(colours)]
    handle = io.BytesIO()
    metadata = Metadata(plays=2)
    if kind == "webp":
        write_webp(handle, frames, metadata, None)
    else:
        {"png": write_animated_png, "gif": write_gif}[kind](handle, frames, metadata)
    image = read(handle)
    assert image.n_frames == 3
    times = []
    for index, colour in enumerate(colours):
        image.seek(index)
        image.load()
        times.append(image.info["duration"])
        pixel = image.convert("RGBA").getpixel((4, 3))
        assert pixel[3] == colour[3]
        assert colour[3] == 0 or list(pixel) == colour
    assert times == [100, 200, 300]
    # GIF counts repetitions.
    assert image.info["loop"] == (1 if kind == "gif" else 2)


def test_a_gif_pixel_is_opaque_or_not() -> None:
    pixels = np.full((6, 9, 4), [200, 100, 0, 255], np.uint8)
    pixels[:, :3, 3], pixels[:, 3:6, 3] = 100, 150
    handle = io.BytesIO()
    write_gif(handle, [rows(pixels, 50), rows(pixels[::-1].copy(), 50)], Metadata(plays=1))
    image = read(handle)
    assert "loop" not in image.info
    assert np.asarray(image.convert("RGBA"))[0, :, 3].tolist() == [0] * 3 + [255] * 6
