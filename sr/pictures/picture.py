"""What a picture is: frames of pixels, and what it carries beside them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8 | np.uint16]

# Of grey, grey and alpha, RGB, RGB and alpha.
_WITH_ALPHA = (2, 4)


@dataclass(frozen=True)
class Layout:
    """How the pixels of a frame lie: (height, width, channels) of 8 or 16 bits each.

    Attributes:
        height: In pixels.
        width: In pixels.
        channels: 1 for grey, 2 for grey and alpha, 3 for RGB, 4 for RGB and alpha.
        bits: Of a value, 8 or 16.
    """

    height: int
    width: int
    channels: int
    bits: int

    @classmethod
    def of(cls, pixels: Pixels) -> "Layout":
        """Return that of an array (h, w, c); raises ValueError for another shape or type."""
        if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or pixels.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"pixels are (h, w, 1 to 4) uint8 or uint16, got {pixels.shape} {pixels.dtype}")
        height, width, channels = pixels.shape
        return cls(height, width, channels, pixels.dtype.itemsize * 8)

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha, 0 transparent."""
        return self.channels in _WITH_ALPHA

    @property
    def is_grey(self) -> bool:
        """Whether there is one channel but for alpha."""
        return self.channels < 3

    @property
    def row_bytes(self) -> int:
        """Of one row."""
        return self.width * self.channels * self.bits // 8

    @property
    def total_bytes(self) -> int:
        """Of all rows."""
        return self.height * self.row_bytes

    def enlarged(self, scale: int) -> "Layout":
        """Return that of the same picture so many times as high and wide."""
        return Layout(scale * self.height, scale * self.width, self.channels, self.bits)


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame or page, whole: (h, w, c) uint8 or uint16, see `Layout`, and for how long it is shown."""

    pixels: Pixels
    milliseconds: float = 0.0

    @property
    def layout(self) -> Layout:
        """How its pixels lie."""
        return Layout.of(self.pixels)


@dataclass(frozen=True, eq=False)
class FrameRows:
    """One frame or page that is made while it is written: bands (rows, w, c) from the top down."""

    layout: Layout
    bands: Iterable[Pixels]
    milliseconds: float = 0.0

    def regrouped(self, rows: int) -> Iterator[Pixels]:
        """Yield the same rows in bands of `rows` each, the last one of what is left."""
        held: list[Pixels] = []
        count = 0
        for band in self.bands:
            start = 0
            while start < len(band):
                taken = band[start : start + rows - count]
                held.append(taken)
                start, count = start + len(taken), count + len(taken)
                if count == rows:
                    yield held[0] if len(held) == 1 else np.concatenate(held)
                    held, count = [], 0
        if held:
            yield held[0] if len(held) == 1 else np.concatenate(held)

    def whole(self) -> Pixels:
        """Return all rows as one array."""
        dtype = np.uint8 if self.layout.bits == 8 else np.uint16
        pixels = np.empty((self.layout.height, self.layout.width, self.layout.channels), dtype)
        top = 0
        for band in self.bands:
            pixels[top : top + len(band)] = band
            top += len(band)
        return pixels


@dataclass(frozen=True)
class Metadata:
    """What a picture carries beside its pixels.

    Attributes:
        icc: Its colour profile as it is in the file.
        exif: Its EXIF as a TIFF structure, the orientation reset, without the thumbnail.
        xmp: Its XMP packet, the orientation reset.
        dpi: Across and down.
        gamma: Of PNG's gAMA, the exponent of what encoded it.
        chromaticity: Of PNG's cHRM: x and y of white, red, green and blue.
        srgb_intent: Of PNG's sRGB.
        colour_code: Of PNG's cICP, by which HDR and wide colours are told: four numbers of ITU-T H.273.
        text: Keys and texts, such as a comment or what a program noted; Latin-1 and other text alike.
        plays: How often an animation plays; 0 for ever.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    gamma: float | None = None
    chromaticity: tuple[float, ...] | None = None
    srgb_intent: int | None = None
    colour_code: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    plays: int = 0


@dataclass(frozen=True, eq=False)
class Picture:
    """An opened picture, whose frames are decoded one after another as they are asked for.

    Attributes:
        kind: Pillow's name of its format, such as "GIF".
        count: How many frames or pages it has.
        moving: Whether they are an animation rather than pages.
        metadata: What it carries.
        frames: Its frames in their order, upright; to be gone through once.
        notes: What about it cannot be kept, whatever is written, each in a few words.
    """

    kind: str
    count: int
    moving: bool
    metadata: Metadata
    frames: Iterator[Frame]
    notes: tuple[str, ...] = ()
