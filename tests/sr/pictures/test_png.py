"""PNG of every layout, as others read it."""

import io
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from sr.pictures import png
from sr.pictures.decoding import decoded
from sr.pictures.picture import FrameRows, Layout, Metadata
from sr.pictures.png import write_png


def written(pixels: np.ndarray, metadata: Metadata | None = None, rows: int = 3) -> bytes:
    bands = [pixels[top : top + rows] for top in range(0, len(pixels), rows)]
    handle = io.BytesIO()
    write_png(handle, FrameRows(Layout.of(pixels), bands), metadata or Metadata())
    return handle.getvalue()


@given(
    pixels=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)).flatmap(
        lambda shape: st.sampled_from([np.uint8, np.uint16]).flatmap(lambda dtype: arrays.arrays(dtype, shape))
    )
)
def test_pixels_survive(pixels: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("png") / "a.png"
    path.write_bytes(written(pixels))
    with Image.open(path) as image:
        assert np.array_equal(decoded(path, image, 0), pixels)


def test_grey_is_saved_as_grey() -> None:
    assert written(np.zeros((3, 4, 1), np.uint8))[24:26] == bytes([8, 0])
    assert written(np.zeros((3, 4, 1), np.uint16))[24:26] == bytes([16, 0])


def test_smooth_pictures_are_filtered_to_less() -> None:
    rows, columns = np.mgrid[:64, :64]
    pixels = np.stack([rows + columns, rows * 2, columns * 3], 2).astype(np.uint8)
    assert len(written(pixels, rows=64)) < len(zlib.compress(pixels.tobytes())) / 2


def test_what_is_carried_is_read_back(exif: bytes, srgb_icc: bytes) -> None:
    chromaticity = (0.31, 0.33, 0.7, 0.3, 0.2, 0.7, 0.15, 0.05)
    metadata = Metadata(
        icc=srgb_icc, exif=exif, xmp=b"<x/>", dpi=(300.0, 150.0), gamma=0.5, chromaticity=chromaticity,
        text=(("Comment", "plain"), ("Title", "Ελλάδα"), ("", "without a key")),
    )  # fmt: skip
    with Image.open(io.BytesIO(written(np.zeros((3, 4, 3), np.uint8), metadata))) as image:
        image.load()
        assert image.info["icc_profile"] == srgb_icc
        assert image.info["exif"] == b"Exif\0\0" + exif
        assert image.info["xmp"] == b"<x/>"
        assert image.info["dpi"] == pytest.approx((300, 150), abs=0.02)
        assert image.info["gamma"] == 0.5
        assert image.info["chromaticity"] == pytest.approx(chromaticity)
        assert image.text["Title"] == "Ελλάδα"
        assert image.text["Comment"] in ("plain", "without a key")


def test_the_intent_of_srgb_is_kept_where_there_is_no_profile() -> None:
    with Image.open(io.BytesIO(written(np.zeros((3, 4, 3), np.uint8), Metadata(srgb_intent=1)))) as image:
        assert image.info["srgb"] == 1


def test_the_colour_code_is_written_as_it_is_known() -> None:
    content = written(np.zeros((3, 4, 3), np.uint8), Metadata(colour_code=bytes((9, 16, 0, 1))))
    assert content.index(b"\0\0\0\4cICP\x09\x10\0\1") < content.index(b"IDAT")


def test_rows_are_written_while_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_GROUP_BYTES", 1000)
    handle, sizes = io.BytesIO(), []
    pixels = np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8)

    def bands() -> Iterator[np.ndarray]:
        for top in range(0, 400, 40):
            sizes.append(handle.tell())
            yield pixels[top : top + 40]

    write_png(handle, FrameRows(Layout.of(pixels), bands()), Metadata())
    assert np.array_equal(np.asarray(Image.open(handle)), pixels)
    assert sizes[-1] > pixels.nbytes / 2
