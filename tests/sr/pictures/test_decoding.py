"""Grey stays grey and 16 bits stay 16, in every layout that files have."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from sr.pictures import decoding
from sr.pictures.decoding import decoded, strips, upright


def noise(*shape: int, bits: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**bits, shape).astype(f"uint{bits}")


def pixels_of(path: Path, page: int = 0) -> np.ndarray:
    with Image.open(path) as image:
        image.seek(page)
        return decoded(path, image, page)


def png_16(samples: np.ndarray, colour: int, key: bytes = b"") -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    body = zlib.compress(np.hstack([np.zeros((len(rows), 1), np.uint8), rows]).tobytes())
    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, colour, 0, 0, 0)
    transparent = chunk(b"tRNS", key) if key else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + transparent + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("L", 1), ("LA", 2), ("P", 3), ("RGB", 3), ("RGBA", 4)])
def test_a_mode_becomes_as_many_channels(mode: str, channels: int, tmp_path: Path) -> None:
    image = Image.fromarray(noise(6, 9, 3 if mode == "P" else 4)).convert(mode)
    image.save(tmp_path / "a.png")
    found = pixels_of(tmp_path / "a.png")
    expected = image.convert("RGB") if mode == "P" else image.convert("L") if mode == "1" else image
    assert found.shape == (6, 9, channels)
    assert found.dtype == np.uint8
    assert np.array_equal(found.squeeze(), np.asarray(expected))


def test_a_palette_with_a_transparent_entry_has_alpha(tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3) % 3)
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "a.png", transparency=1)
    found = pixels_of(tmp_path / "a.png")
    assert np.array_equal(found[0], [[255, 0, 0, 255], [0, 255, 0, 0], [0, 0, 255, 255]])


@pytest.mark.parametrize(("mode", "channels", "key"), [("L", 2, 7), ("RGB", 4, (7, 7, 7))])
def test_a_transparent_colour_becomes_alpha(
    mode: str, channels: int, key: int | tuple[int, ...], tmp_path: Path
) -> None:
    Image.fromarray(np.array([[7, 8]], np.uint8)).convert(mode).save(tmp_path / "a.png", transparency=key)
    found = pixels_of(tmp_path / "a.png")
    assert found.shape == (1, 2, channels)
    assert found[0, :, -1].tolist() == [0, 255]


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (4, 2), (2, 3), (6, 4)])
def test_16_bit_png(colour: int, channels: int, tmp_path: Path) -> None:
    samples = noise(7, 5, channels, bits=16)
    (tmp_path / "a.png").write_bytes(png_16(samples, colour))
    assert np.array_equal(pixels_of(tmp_path / "a.png"), samples)


def test_16_bit_png_with_a_transparent_colour(tmp_path: Path) -> None:
    samples = noise(4, 4, 3, bits=16)
    (tmp_path / "a.png").write_bytes(png_16(samples, 2, samples[2, 1].astype(">u2").tobytes()))
    found = pixels_of(tmp_path / "a.png")
    assert (found[2, 1, 3], (found[..., 3] == 65535).sum()) == (0, 15)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_16_bit_tiff(order: str, planar: str, tmp_path: Path) -> None:
    rgb = noise(20, 30, 3, bits=16)
    stored = rgb if planar == "contig" else rgb.transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "a.tif", stored, byteorder=order, photometric="rgb", planarconfig=planar)
    assert np.array_equal(pixels_of(tmp_path / "a.tif"), rgb)


def test_16_bit_colours_that_were_multiplied_by_alpha_are_divided_by_it(tmp_path: Path) -> None:
    stored = np.array([[[1000, 500, 0, 32768], [9, 9, 9, 0], [5, 6, 7, 65535]]], np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=["assocalpha"])
    found = pixels_of(tmp_path / "a.tif")
    assert found[0, 0].tolist() == [2000, 1000, 0, 32768]
    assert found[0, 2].tolist() == [5, 6, 7, 65535]
    assert found[0, 1, 3] == 0


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_16_bit_grey_tiff(photometric: str, tmp_path: Path) -> None:
    grey = noise(6, 5, bits=16)
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric=photometric)
    expected = grey if photometric == "minisblack" else 65535 - grey
    assert np.array_equal(pixels_of(tmp_path / "a.tif")[..., 0], expected)


def test_12_bit_grey_is_white_where_it_was_white(tmp_path: Path) -> None:
    # Two values of 12 bits in three bytes.
    rows = bytes([0xFF, 0xF0, 0x00, 0x80, 0x08, 0x00]) * 2
    tags = ((256, 4, 4), (257, 4, 2), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 4, 2),
            (279, 4, 12))  # fmt: skip
    directory = b"".join(struct.pack("<HHII", number, kind, 1, value) for number, kind, value in tags)
    head = b"II*\0" + struct.pack("<I", 8 + len(rows))
    (tmp_path / "a.tif").write_bytes(head + rows + struct.pack("<H", len(tags)) + directory + bytes(4))
    assert pixels_of(tmp_path / "a.tif")[0, :, 0].tolist() == [65535, 0, 0x8008, 0x8008]


def test_pages_of_16_bit_are_told_apart(tmp_path: Path) -> None:
    pages = noise(2, 6, 5, 3, bits=16)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in pages:
            writer.write(page, photometric="rgb")
    assert np.array_equal(pixels_of(tmp_path / "a.tif", 1), pages[1])


def test_floating_point_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((6, 5), np.float32))
    with pytest.raises(ValueError, match="floating point"):
        pixels_of(tmp_path / "a.tif")


def test_strips_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_STRIP_BYTES", 1)
    rgb = noise(7, 5, 3)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    assert np.array_equal(pixels_of(tmp_path / "a.png"), rgb)
    assert strips(3, 100) == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_is_undone_as_pillow_does(orientation: int) -> None:
    from PIL import ImageOps

    rgb = noise(4, 6, 3)
    image = Image.fromarray(rgb)
    image.getexif()[274] = orientation
    assert np.array_equal(upright(rgb, orientation), np.asarray(ImageOps.exif_transpose(image)))
