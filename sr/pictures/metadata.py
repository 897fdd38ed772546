"""What a picture carries beside its pixels, for the same picture upright and enlarged."""

import io
import math
import os
import re
import struct
from typing import Any

from PIL import ExifTags, Image

from sr.pictures.exif import as_exif, reset, resized, tags_of, without
from sr.pictures.picture import Metadata
from sr.scale import DEFAULT_SCALE

_EXIF_HEAD = b"Exif\0\0"
# Tags of TIFF that say how its own pixels, its thumbnails and its profile are stored.
STORAGE_TAGS = frozenset(
    (254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 288, 289, 290, 291, 292,
     293, 296, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 334, 336, 338, 339, 340, 341, 342, 343, 347,
     512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 700, 34377, 34675, 37724, 50838, 50839)
)  # fmt: skip
# Of Photoshop's resources in a JPEG.
_IPTC = 0x0404
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>))\s*\d")
_PNG_SIGNATURE_BYTES, _COLOUR_CODE_BYTES = 8, 4
# Texts of PNG that are something else, which is read as that.
_NO_TEXTS = re.compile(r"XML:com\.adobe\.xmp|Raw profile type .*|exif|icc", re.IGNORECASE)


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, that is still to be undone; some formats tell it once decoded."""
    # Pillow turns TIFF, and nothing else, upright by itself.
    orientation = 1 if image.format == "TIFF" else image.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation if orientation in range(1, 9) else 1


def metadata_of(image: Image.Image, scale: int = DEFAULT_SCALE) -> tuple[Metadata, tuple[str, ...]]:
    """Return what a decoded picture carries, and what of it is left out, in a few words each.

    Args:
        image: The picture.
        scale: How many times larger the sizes that it notes become.
    """
    info = image.info
    exif, notes = _exif_of(image, scale)
    if isinstance(info.get("photoshop"), dict) and _IPTC in info["photoshop"]:
        notes = (*notes, "its IPTC record is left out")
    icc, xmp = info.get("icc_profile"), info.get("xmp")
    found = Metadata(
        icc=icc if isinstance(icc, bytes) and len(icc) >= 128 else None,
        exif=exif,
        xmp=_XMP_ORIENTATION.sub(rb"\g<1>1", xmp) if isinstance(xmp, bytes) and xmp else None,
        dpi=_dpi(info.get("dpi")),
        gamma=info.get("gamma"),
        chromaticity=info.get("chromaticity"),
        srgb_intent=info.get("srgb"),
        colour_code=_colour_code(image),
        text=_text_of(image),
        plays=_plays(image),
    )
    return found, notes


def _exif_of(image: Image.Image, scale: int) -> tuple[bytes | None, tuple[str, ...]]:
    raw = image.info.get("exif")
    try:
        if isinstance(raw, bytes) and raw:
            while raw.startswith(_EXIF_HEAD):
                raw = raw[len(_EXIF_HEAD) :]
            return reset(raw, scale), ()
        # A TIFF's own tags, or what an old PNG has as text.
        found = image.getexif()
        if not len(found):
            return None, ()
        kept = without(tags_of(io.BytesIO(_rewritten(found))), STORAGE_TAGS)
    except (ValueError, TypeError, KeyError, OSError, SyntaxError, AttributeError):
        # Pillow's own ways to say that EXIF is broken, and ours.
        return None, ("its EXIF is broken and left out",)
    return (as_exif(resized(kept, scale)), ()) if kept else (None, ())


def _rewritten(found: Image.Exif) -> bytes:
    """Return a TIFF structure of what Pillow read, without the tags that say how pixels are stored."""
    fresh = Image.Exif()
    # Directories inside, which Pillow reads from the file, go in as such.
    nested = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
    for number in found:
        if number in STORAGE_TAGS or number in nested:
            continue
        fresh[number] = found[number]
    for number in nested:
        directory = {key: value for key, value in found.get_ifd(number).items() if key != ExifTags.IFD.Interop}
        if directory:
            fresh[number] = directory
    return fresh.tobytes()[len(_EXIF_HEAD) :]


def _colour_code(image: Image.Image) -> bytes | None:
    """Return the content of PNG's cICP chunk, which Pillow passes over; None for none."""
    path = getattr(image, "filename", "")
    if image.format != "PNG" or not path:
        return None
    with open(path, "rb") as file:  # noqa: PTH123 - text or bytes, as it was opened
        file.seek(_PNG_SIGNATURE_BYTES)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"cICP" and length == _COLOUR_CODE_BYTES:
                return file.read(length)
            if kind == b"IDAT":
                return None
            # Over its check sum too.
            file.seek(length + 4, os.SEEK_CUR)
    return None


def _text_of(image: Image.Image) -> tuple[tuple[str, str], ...]:
    texts = [(key, str(value)) for key, value in getattr(image, "text", {}).items() if not _NO_TEXTS.fullmatch(key)]
    comment = image.info.get("comment")
    if isinstance(comment, bytes) and comment:
        texts.append(("Comment", _decoded(comment)))
    return tuple(texts)


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _dpi(value: Any) -> tuple[float, float] | None:  # noqa: ANN401 - whatever Pillow found
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    try:
        across, down = float(value[0]), float(value[1])
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if all(math.isfinite(each) and 0 < each < 2**20 for each in (across, down)) else None


def _plays(image: Image.Image) -> int:
    """Return how often an animation plays, 0 for ever: GIF counts repetitions, and plays once without a count."""
    loop = image.info.get("loop")
    if image.format != "GIF":
        return loop if isinstance(loop, int) else 0
    return 1 if loop is None else loop + 1 if loop else 0
