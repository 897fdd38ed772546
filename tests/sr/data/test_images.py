import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageOps

from sr.data.images import Picture, picture_paths, read_picture, to_8_bit, write_picture
from sr.errors import InputError
from sr.pictures.decoding import upright
from sr.pictures.reading import any_size, opened, size_of

LOSSLESS_8 = [".png", ".tif", ".tiff", ".webp"]


def noise(*shape: int, bits: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**bits, shape).astype(f"uint{bits}")


def smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 3, columns * 2, rows + columns], 2).astype(np.uint8)


def png_rows(samples: np.ndarray, kind: int) -> bytes:
    """Filter the rows of big-endian 16-bit (h, w, c) with PNG's filter `kind`, by its definition, byte by byte."""
    step = 2 * samples.shape[2]
    rows = samples.astype(">u2").view(np.uint8).reshape(len(samples), -1).astype(int)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    left = np.hstack([np.zeros((len(rows), step), int), rows[:, :-step]])
    corner = np.hstack([np.zeros((len(rows), step), int), above[:, :-step]])
    guess = left + above - corner
    distances = np.stack([abs(guess - left), abs(guess - above), abs(guess - corner)])
    paeth = np.choose(distances.argmin(0), [left, above, corner])
    predicted = [0 * rows, left, above, (left + above) // 2, paeth][kind]
    filtered = ((rows - predicted) % 256).astype(np.uint8)
    return np.hstack([np.full((len(rows), 1), kind, np.uint8), filtered]).tobytes()


def png(samples: np.ndarray, colour: int, kind: int = 0, extra: bytes = b"") -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, colour, 0, 0, 0)
    key = chunk(b"tRNS", extra) if extra else b""
    body = chunk(b"IDAT", zlib.compress(png_rows(samples, kind)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + key + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", LOSSLESS_8)
def test_8_bit_survives(tmp_path: Path, suffix: str) -> None:
    rgb = noise(9, 13, 3)
    write_picture(tmp_path / f"a{suffix}", Picture(rgb))
    back = read_picture(tmp_path / f"a{suffix}")
    assert back.bits == 8
    assert back.alpha is None
    assert np.array_equal(back.rgb, rgb)
    assert size_of(tmp_path / f"a{suffix}") == (9, 13)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_8_bit_alpha_survives_with_the_colours_under_it(tmp_path: Path, suffix: str) -> None:
    rgb, alpha = noise(9, 13, 3), noise(9, 13, seed=1)
    write_picture(tmp_path / f"a{suffix}", Picture(rgb, alpha))
    back = read_picture(tmp_path / f"a{suffix}")
    assert np.array_equal(back.rgb, rgb)
    assert np.array_equal(back.alpha, alpha)


@given(
    pixels=st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 4])).flatmap(
        lambda shape: arrays.arrays(np.uint16, shape)
    ),
    suffix=st.sampled_from([".png", ".tif"]),
)
def test_16_bit_survives(tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray, suffix: str) -> None:
    path = tmp_path_factory.mktemp("deep") / f"a{suffix}"
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    write_picture(path, Picture(pixels[..., :3], alpha))
    back = read_picture(path)
    assert back.bits == 16
    assert np.array_equal(back.rgb, pixels[..., :3])
    assert (back.alpha is None) == (alpha is None)
    assert alpha is None or np.array_equal(back.alpha, alpha)


def test_our_16_bit_files_are_16_bit_to_others(tmp_path: Path) -> None:
    rgb = noise(9, 13, 3, bits=16)
    write_picture(tmp_path / "a.png", Picture(rgb))
    write_picture(tmp_path / "a.tif", Picture(rgb))
    assert (tmp_path / "a.png").read_bytes()[24:26] == bytes([16, 2])
    with Image.open(tmp_path / "a.png") as image:
        image.load()
        assert np.array_equal(np.asarray(image), rgb >> 8)
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), rgb)


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (6, 4)])
def test_16_bit_png_of_every_filter(tmp_path: Path, kind: int, colour: int, channels: int) -> None:
    samples = noise(7, 5, channels, bits=16)
    (tmp_path / "a.png").write_bytes(png(samples, colour, kind))
    assert np.array_equal(read_picture(tmp_path / "a.png").rgb, samples[..., :3])


def test_16_bit_grey_png_with_alpha_and_without(tmp_path: Path) -> None:
    samples = noise(7, 5, 2, bits=16)
    (tmp_path / "la.png").write_bytes(png(samples, 4))
    (tmp_path / "l.png").write_bytes(png(samples[..., :1], 0))
    both, grey = read_picture(tmp_path / "la.png"), read_picture(tmp_path / "l.png")
    for picture in (both, grey):
        assert all(np.array_equal(picture.rgb[..., channel], samples[..., 0]) for channel in range(3))
    assert np.array_equal(both.alpha, samples[..., 1])
    assert grey.alpha is None


def test_a_transparent_colour_of_16_bit_becomes_alpha(tmp_path: Path) -> None:
    samples = noise(4, 4, 3, bits=16)
    (tmp_path / "a.png").write_bytes(png(samples, 2, extra=samples[2, 1].astype(">u2").tobytes()))
    alpha = read_picture(tmp_path / "a.png").alpha
    assert alpha[2, 1] == 0
    assert (alpha == 65535).sum() == 15


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_16_bit_tiff_layouts(tmp_path: Path, order: str, planar: str, compression: str | None) -> None:
    rgb = noise(20, 30, 3, bits=16)
    stored = rgb if planar == "contig" else rgb.transpose(2, 0, 1)
    options = {"photometric": "rgb", "planarconfig": planar, "compression": compression, "rowsperstrip": 7}
    tifffile.imwrite(tmp_path / "a.tif", stored, byteorder=order, **options)
    assert np.array_equal(read_picture(tmp_path / "a.tif").rgb, rgb)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_16_bit_grey_tiff(tmp_path: Path, photometric: str) -> None:
    grey = noise(6, 5, bits=16)
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric=photometric)
    expected = grey if photometric == "minisblack" else 65535 - grey
    assert np.array_equal(read_picture(tmp_path / "a.tif").rgb, np.stack([expected] * 3, 2))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "YCbCr"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(smooth(8, 6)).convert(mode)
    path = tmp_path / ("a.png" if mode in ("1", "L", "LA", "P") else "a.tif")
    image.save(path)
    picture = read_picture(path)
    assert np.array_equal(picture.rgb, np.asarray(image.convert("RGB")))
    assert (picture.alpha is not None) == (mode == "LA")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "I;16"])
def test_pictures_to_train_on_are_read_as_those_to_upscale_are(tmp_path: Path, mode: str) -> None:
    path, row = tmp_path / "a.tif", 1 if mode == "1" else 8 * len(Image.new(mode, (1, 1)).tobytes())
    image = Image.frombytes(mode, (8, 6), noise(6, row).tobytes())
    if mode == "P":
        image.putpalette(noise(768).tobytes())
    image.save(path)
    with opened(path) as picture:
        pixels = next(picture.frames).pixels
    read = read_picture(path)
    colours = pixels if pixels.shape[2] in (1, 3) else pixels[..., :-1]
    assert np.array_equal(read.rgb, np.broadcast_to(colours, read.rgb.shape))
    assert read.rgb.dtype == pixels.dtype
    if read.alpha is None:
        assert pixels.shape[2] in (1, 3)
    else:
        assert np.array_equal(read.alpha, pixels[..., -1])


def test_a_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(tmp_path / "a.png", transparency=bytes([255, 0, 128]))
    picture = read_picture(tmp_path / "a.png")
    assert picture.alpha.tolist() == [[255, 0], [128, 0]]
    assert picture.rgb[0].tolist() == [[10, 20, 30], [40, 50, 60]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_exif_orientation_is_applied_once(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a{suffix}"
    Image.fromarray(smooth(8, 24)).save(path, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_picture(path).rgb, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_orientation_of_16_bit_tiff(tmp_path: Path, orientation: int, planar: str) -> None:
    rgb = noise(4, 6, 3, bits=16)
    stored = rgb if planar == "contig" else rgb.transpose(2, 0, 1)
    tag = (274, 3, 1, orientation, True)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, extratags=[tag])
    assert np.array_equal(read_picture(tmp_path / "a.tif").rgb, upright(rgb, orientation))


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", *LOSSLESS_8])
def test_a_truncated_file_is_one_line_with_its_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(noise(40, 40, 3)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=f"cut{suffix}") as caught:
        read_picture(path)
    assert "\n" not in str(caught.value)


def test_no_file_and_no_picture(tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("not a picture")
    with pytest.raises(InputError, match=r"note\.png: it is in no picture format"):
        read_picture(tmp_path / "note.png")
    with pytest.raises(InputError, match="no picture at"):
        read_picture(tmp_path / "absent.png")
    with pytest.raises(InputError, match="no picture at"):
        read_picture(tmp_path)


def test_floating_point_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.float32))
    with pytest.raises(InputError, match="floating point"):
        read_picture(tmp_path / "a.tif")


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    small = png(noise(1, 1, 3, bits=16), 2)
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    bomb = small[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + small[33:]
    (tmp_path / "bomb.png").write_bytes(bomb)
    for read in (read_picture, size_of):
        with pytest.raises(InputError, match=r"bomb\.png: it is too large"):
            read(tmp_path / "bomb.png")
        with any_size(), pytest.raises(InputError, match=r"bomb\.png: it is too large \(100000x100000 pixels\)"):
            read(tmp_path / "bomb.png")


@pytest.mark.parametrize(
    ("name", "picture", "constraint"),
    [
        ("a.jpg", Picture(noise(4, 4, 3), noise(4, 4)), r"a\.jpg: \.jpg cannot hold transparency; write png"),
        ("a.webp", Picture(noise(4, 4, 3, bits=16)), r"a\.webp: \.webp cannot hold 16 bit; write png"),
        ("a.gif", Picture(noise(4, 4, 3)), r"a\.gif: a picture is written as one of \.jpeg"),
        ("a.webp", Picture(np.zeros((1, 16384, 3), np.uint8)), "16383"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path: Path, name: str, picture: Picture, constraint: str) -> None:
    with pytest.raises(InputError, match=constraint):
        write_picture(tmp_path / name, picture)
    assert not list(tmp_path.iterdir())


def test_a_picture_has_one_type_and_one_size() -> None:
    with pytest.raises(ValueError, match="rgb must be"):
        Picture(noise(4, 4))
    with pytest.raises(ValueError, match="alpha must be"):
        Picture(noise(4, 4, 3), noise(4, 5))


def test_16_to_8_bit_rounds_to_the_nearest() -> None:
    values = np.array([0, 128, 129, 257, 65535 - 129, 65535 - 128, 65535, 32767, 32896], np.uint16)
    expected = [0, 0, 1, 1, 254, 255, 255, 127, 128]
    assert to_8_bit(Picture(np.stack([values[None]] * 3, 2)))[0, :, 1].tolist() == expected


def test_pictures_of_a_folder_come_sorted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder at"):
        picture_paths(tmp_path / "absent")
    with pytest.raises(InputError, match="no pictures in"):
        picture_paths(tmp_path)
    for name in ("b.PNG", "a.jpg", "notes.txt", "._a.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in picture_paths(tmp_path)] == ["a.jpg", "b.PNG"]
