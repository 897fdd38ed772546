"""TIFF of every layout, as tifffile and Pillow read it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from sr.errors import InputError
from sr.pictures import tiff
from sr.pictures.picture import FrameRows, Layout, Metadata
from sr.pictures.tiff import write_tiff


def noise(*shape: int, bits: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**bits, shape).astype(f"uint{bits}")


def save(path: Path, *pages: np.ndarray, metadata: Metadata | None = None, most_bytes: int = 0) -> Path:
    frames = (FrameRows(Layout.of(page), [page[:2], page[2:]]) for page in pages)
    with path.open("w+b") as handle:
        write_tiff(handle, frames, metadata or Metadata(), most_bytes=most_bytes)
    return path


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("most_bytes", [0, 2**33])
def test_pixels_survive(bits: int, channels: int, most_bytes: int, tmp_path: Path) -> None:
    pixels = noise(7, 5, channels, bits=bits)
    path = save(tmp_path / "a.tif", pixels, most_bytes=most_bytes)
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff == (most_bytes > 2**32)
        page = file.pages[0]
        assert page.photometric.name == ("MINISBLACK" if channels < 3 else "RGB")
        assert [sample.name for sample in page.extrasamples] == (["UNASSALPHA"] if channels in (2, 4) else [])
        assert np.array_equal(page.asarray().reshape(pixels.shape), pixels)


def test_strips_are_cut_where_they_are_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "_STRIP_BYTES", 31)
    pixels = noise(7, 5, 3)
    with tifffile.TiffFile(save(tmp_path / "a.tif", pixels)) as file:
        assert len(file.pages[0].dataoffsets) == 4
        assert np.array_equal(file.pages[0].asarray(), pixels)


@pytest.mark.parametrize("most_bytes", [0, 2**33])
def test_pages_keep_their_own_size_and_depth(most_bytes: int, tmp_path: Path, srgb_icc: bytes) -> None:
    pages = [noise(7, 5, 3), noise(4, 9, 1, bits=16), noise(3, 3, 4)]
    path = save(tmp_path / "a.tif", *pages, metadata=Metadata(icc=srgb_icc), most_bytes=most_bytes)
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 3
        for page, pixels in zip(file.pages, pages, strict=True):
            assert np.array_equal(page.asarray().reshape(pixels.shape), pixels)
            assert page.tags[34675].value == srgb_icc


def test_what_is_carried_is_read_back(exif: bytes, srgb_icc: bytes, tmp_path: Path) -> None:
    metadata = Metadata(icc=srgb_icc, exif=exif, xmp=b"<x/>", dpi=(300.0, 72.5), text=(("Comment", "kept"),))
    with Image.open(save(tmp_path / "a.tif", noise(7, 5, 3), metadata=metadata)) as image:
        image.load()
        assert image.info["icc_profile"] == srgb_icc
        assert image.info["xmp"] == b"<x/>"
        assert image.info["dpi"] == (300, 72.5)
        found = image.getexif()
        assert (found[271], found.get(274, 1)) == ("Maker", 1)
        assert found[270] == "Comment: kept"
        assert found.get_ifd(34665)[36867] == "2026:01:02 03:04:05"
        assert found.get_ifd(34853)[2] == (48.0, 8.0, 14.0)


def test_pages_that_do_not_fit_are_an_input_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "_CLASSIC_BYTES", 50)
    with pytest.raises(InputError, match="do not fit into a TIFF"):
        save(tmp_path / "a.tif", noise(7, 5, 3))


def test_rows_are_written_while_they_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "_STRIP_BYTES", 1000)
    sizes, pixels = [], noise(400, 300, 3)
    with (tmp_path / "a.tif").open("w+b") as handle:

        def bands() -> Iterator[np.ndarray]:
            for top in range(0, 400, 40):
                sizes.append(handle.tell())
                yield pixels[top : top + 40]

        write_tiff(handle, [FrameRows(Layout.of(pixels), bands())], Metadata(), most_bytes=pixels.nbytes)
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), pixels)
    assert sizes[-1] > pixels.nbytes / 2
