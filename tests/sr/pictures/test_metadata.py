"""What a picture carries is found in every format that carries it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sr.pictures.metadata import metadata_of, orientation_of
from sr.pictures.picture import Metadata
from sr.scale import SCALES

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="kept"/></x:xmpmeta>'


def carried(path: Path) -> tuple[Metadata, tuple[str, ...]]:
    with Image.open(path) as image:
        image.load()
        return metadata_of(image)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_profile_exif_and_xmp_are_found_and_the_orientation_reset(
    suffix: str, tmp_path: Path, exif: bytes, srgb_icc: bytes
) -> None:
    image = Image.fromarray(np.zeros((5, 7, 3), np.uint8))
    options = {} if suffix == ".tif" else {"exif": b"Exif\0\0" + exif}
    if suffix == ".tif":
        made = Image.Exif()
        made.load(b"Exif\0\0" + exif)
        options = {"exif": made}
    if suffix == ".png":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"] = info
    image.save(tmp_path / f"a{suffix}", icc_profile=srgb_icc, xmp=XMP, **options)
    found, notes = carried(tmp_path / f"a{suffix}")
    assert notes == ()
    assert found.icc == srgb_icc
    back = Image.Exif()
    back.load(b"Exif\0\0" + found.exif)
    assert (back[271], back.get(274, 1)) == ("Maker", 1)
    assert back.get_ifd(34665)[36867] == "2026:01:02 03:04:05"
    assert back.get_ifd(34853)[1] == "N"
    # How a TIFF's own pixels lie is no matter of the result's.
    assert not {256, 257, 273, 279} & set(back)
    assert b'tiff:Orientation="6"' not in (found.xmp or b"")
    if suffix != ".tif":
        assert b'tiff:Orientation="1"' in found.xmp
        assert b'dc:title="kept"' in found.xmp


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_the_size_that_exif_notes_grows_by_the_scale(suffix: str, scale: int, tmp_path: Path, exif: bytes) -> None:
    made = Image.Exif()
    made.load(b"Exif\0\0" + exif)
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(tmp_path / f"a{suffix}", exif=made)
    with Image.open(tmp_path / f"a{suffix}") as image:
        image.load()
        found, _ = metadata_of(image, scale)
    back = Image.Exif()
    back.load(b"Exif\0\0" + found.exif)
    inner = back.get_ifd(34665)
    assert sorted((inner[40962], inner[40963])) == [5 * scale, 7 * scale]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_is_left_out_and_said(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\0\0")
    found, notes = carried(tmp_path / "a.jpg")
    assert found.exif is None
    assert notes == ("its EXIF is broken and left out",)


def test_texts_and_resolution_are_found(tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("parameters", "a cat, steps: 20")
    info.add_itxt("Title", "Ελλάδα")
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(tmp_path / "a.png", pnginfo=info, dpi=(300, 150))
    found, _ = carried(tmp_path / "a.png")
    assert found.text == (("parameters", "a cat, steps: 20"), ("Title", "Ελλάδα"))
    assert found.dpi == pytest.approx((300, 150), rel=1e-3)
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(tmp_path / "a.jpg", comment=b"by hand", dpi=(96, 96))
    found, _ = carried(tmp_path / "a.jpg")
    assert (found.text, found.dpi) == ((("Comment", "by hand"),), (96, 96))


def test_the_colour_code_of_a_png_is_found(tmp_path: Path) -> None:
    image, info = Image.fromarray(np.zeros((5, 7, 3), np.uint8)), PngInfo()
    # Display P3 with the brightness of HDR.
    info.add(b"cICP", bytes((12, 16, 0, 1)))
    image.save(tmp_path / "a.png", pnginfo=info)
    image.save(tmp_path / "b.png")
    image.save(tmp_path / "c.jpg")
    assert [carried(tmp_path / name)[0].colour_code for name in ("a.png", "b.png", "c.jpg")] == [
        b"\x0c\x10\0\1",
        None,
        None,
    ]


@pytest.mark.parametrize(("options", "plays"), [({"loop": 0}, 0), ({"loop": 2}, 3), ({}, 1)])
def test_how_often_a_gif_plays(options: dict[str, int], plays: int, tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((5, 7), value, np.uint8)) for value in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=50, **options)
    assert carried(tmp_path / "a.gif")[0].plays == plays


@pytest.mark.parametrize("value", [3, 6, 8, 0, 9])
def test_the_orientation_is_one_of_eight(value: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = value
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as image:
        assert orientation_of(image) == (value if 1 <= value <= 8 else 1)
