"""Pictures enlarged by a network in bands of rows: grey stays grey, alpha goes along, memory decides on the tiles."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sr.checkpoint import one_line
from sr.data.degradation import upscale_bicubic
from sr.errors import InputError
from sr.lr_size import SMALLEST_SIDE, LrSize
from sr.memory import fits, is_out_of_memory
from sr.pictures.picture import Frame, FrameRows, Pixels
from sr.pictures.transparency import REACH, bled
from sr.progress import Message, Report, no_report
from sr.scale import DEFAULT_SCALE
from sr.tiling import OVERLAP, spans, upscale

# The luma of BT.601, the Y of the field's PSNR-Y: what is grey of the three channels that a network gives.
_LUMA = (0.299, 0.587, 0.114)
# A band of rows is no larger, where a tile is not, so that very wide pictures are held back too.
_BAND_BYTES = 2**28

_Span = tuple[int, int]


@dataclass(frozen=True)
class Tiles:
    """How large pictures are cut.

    Attributes:
        size: Height and width of a tile in LR pixels, None for none.
        overlap: With how many LR pixels around it each tile is seen.
        least: Height and width that the network sees of a picture at least, where it has as much.
    """

    size: LrSize | None = None
    overlap: int = OVERLAP
    least: LrSize = (0, 0)


_WHOLE = Tiles()


class Enlarger:
    """Enlarges frames by a scale; one for a whole run, since it remembers the tiles that memory sufficed for.

    What is in memory: the frame, 1 to 8 bytes a pixel; a band of its result, as high as a tile, at most 256 MiB unless
    one row of tiles is larger; and what the network takes for a tile with its overlaps.

    Args:
        network: Maps (n, 3, h, w) in [0, 1] to (n, 3, scale*h, scale*w).
        scale: The network's.
        device: Where the network is.
        tiles: How large pictures are cut.
        report: Is told when memory does not suffice for the tiles.
    """

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        *,
        scale: int = DEFAULT_SCALE,
        device: torch.device | str = "cpu",
        tiles: Tiles = _WHOLE,
        report: Report = no_report,
    ) -> None:
        self._network, self._scale, self._device = network, scale, torch.device(device)
        self._tiles, self._report = tiles, report
        # What memory sufficed for, once it did not.
        self._most: LrSize | None = None

    def enlarged(self, frame: Frame) -> FrameRows:
        """Return a frame enlarged at its own depth, whose bands are made as they are asked for.

        Grey, with one channel or with three that are equal, stays exactly grey. Alpha, which no network knows, goes by
        bicubic interpolation; colours next to what is fully transparent are not mixed with those that hide there.
        Values are clamped to their range. Bands raise InputError where memory does not suffice for the smallest tiles,
        or the network is of another scale.
        """
        return FrameRows(frame.layout.enlarged(self._scale), self._bands(frame.pixels), frame.milliseconds)

    def _bands(self, pixels: Pixels) -> Iterator[Pixels]:
        height, width, channels = pixels.shape
        tile, around = self._tiles.size, 2 * self._tiles.overlap
        if tile is None or height * width <= (tile[0] + around) * (tile[1] + around):
            tile = (height, width)
        grey = channels < 3 or _all_grey(pixels)
        row_bytes = self._scale**2 * pixels[0].nbytes
        rows = min(tile[0], max(SMALLEST_SIDE, _BAND_BYTES // row_bytes)) if tile[0] < height else height
        for top, bottom in spans(height, rows):
            parts = [self._part(pixels, (top, bottom), span, grey=grey) for span in spans(width, tile[1])]
            yield parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _part(self, pixels: Pixels, rows: _Span, columns: _Span, *, grey: bool) -> Pixels:
        """Enlarge a part of a picture; in smaller ones where memory does not suffice, or did not before."""
        sides = (rows[1] - rows[0], columns[1] - columns[0])
        if self._most is None or (sides[0] <= self._most[0] and sides[1] <= self._most[1]):
            try:
                return self._enlarge(pixels, rows, columns, grey=grey)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                reason = one_line(error, 120)
            # Out here the error is gone, and with it what its frames held.
            self._most = self._shrunk(sides, reason)
        lines = [
            [self._part(pixels, (rows[0] + top, rows[0] + bottom), (columns[0] + left, columns[0] + right), grey=grey)
             for left, right in spans(sides[1], self._most[1])]
            for top, bottom in spans(sides[0], self._most[0])
        ]  # fmt: skip
        return np.concatenate([np.concatenate(line, axis=1) for line in lines])

    def _shrunk(self, sides: LrSize, reason: str) -> LrSize:
        """Return half the sides that memory did not suffice for; InputError where they are the least already."""
        if max(sides) <= SMALLEST_SIDE:
            # The next picture may have more luck.
            self._most = None
            raise InputError(f"memory does not suffice for a tile of {sides[1]}x{sides[0]}: {reason}")
        height, width = (max(-(-side // 2), SMALLEST_SIDE) for side in sides)
        tried = f"memory does not suffice for {sides[1]}x{sides[0]}"
        self._report(Message(f"{tried} at once, goes on in tiles of {width}x{height}", aside=True))
        return height, width

    def _enlarge(self, pixels: Pixels, rows: _Span, columns: _Span, *, grey: bool) -> Pixels:
        """Run the network on a part with its overlaps and return that part alone."""
        height, width = pixels.shape[:2]
        overlap, least = self._tiles.overlap, [max(side, SMALLEST_SIDE) for side in self._tiles.least]
        above, below = _around(rows, height, overlap, least[0])
        before, behind = _around(columns, width, overlap, least[1])
        # Float values on both sides of the network, and what turning them into pixels takes again.
        needed = 2 * 4 * 3 * (1 + self._scale**2) * (below - above) * (behind - before)
        if not fits(needed, torch.device("cpu")):
            raise MemoryError("the system has less free than its input and output take")
        seen = _seen(pixels, (above, below), (before, behind))
        rows, columns = (rows[0] - above, rows[1] - above), (columns[0] - before, columns[1] - before)
        with torch.inference_mode():
            sr = upscale(self._network, _as_rgb(seen).to(self._device), tile=None, scale=self._scale)
            colours = _cut(sr, rows, columns, self._scale)
            if grey:
                luma = (colours * colours.new_tensor(_LUMA).view(3, 1, 1)).sum(0, keepdim=True)
                colours = luma.expand(1 if seen.shape[2] < 3 else 3, -1, -1)
            if seen.shape[2] in (1, 3):
                return _as_pixels(colours, seen.dtype)
            # Shaped as what is interpolated, three times the same.
            alpha = upscale_bicubic(_as_tensor(np.repeat(seen[..., -1:], 3, axis=2)), self._scale)
            return _as_pixels(torch.cat([colours.cpu(), _cut(alpha, rows, columns, self._scale)[:1]]), seen.dtype)


def _around(span: _Span, length: int, overlap: int, least: int) -> _Span:
    """Return a span with its overlaps, at least so long; both end at the picture's edge.

    So the network pads there as it would without tiles.
    """
    start, end = max(0, span[0] - overlap), min(length, span[1] + overlap)
    end = min(length, max(end, start + least))
    return max(0, min(start, end - least)), end


def _seen(pixels: Pixels, rows: _Span, columns: _Span) -> Pixels:
    """Cut a part out of a picture, its hidden colours such as they are where the whole picture is looked at."""
    if pixels.shape[2] in (1, 3):
        return pixels[slice(*rows), slice(*columns)]
    above, before = max(0, rows[0] - REACH), max(0, columns[0] - REACH)
    wider = bled(pixels[above : rows[1] + REACH, before : columns[1] + REACH])
    return wider[rows[0] - above : rows[1] - above, columns[0] - before : columns[1] - before]


def _all_grey(pixels: Pixels) -> bool:
    """Return whether the first three channels are equal everywhere; row by row, as most pictures say no soon."""
    return all((row[:, :1] == row[:, 1:3]).all() for row in pixels)


def _as_rgb(pixels: Pixels) -> Tensor:
    colours = np.repeat(pixels[..., :1], 3, axis=2) if pixels.shape[2] < 3 else pixels[..., :3]
    return _as_tensor(colours)


def _as_tensor(pixels: Pixels) -> Tensor:
    """Turn (h, w, 3) of 8 or 16 bit into (1, 3, h, w) float32 in [0, 1]."""
    scaled: NDArray[np.float32] = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return torch.from_numpy(scaled).permute(2, 0, 1)[None].contiguous()


def _cut(sr: Tensor, rows: _Span, columns: _Span, scale: int) -> Tensor:
    return sr[0, :, scale * rows[0] : scale * rows[1], scale * columns[0] : scale * columns[1]].float()


def _as_pixels(sr: Tensor, dtype: np.dtype[np.uint8 | np.uint16]) -> Pixels:
    """Turn (c, h, w) into (h, w, c) of 8 or 16 bit: clamped to [0, 1], scaled, rounded."""
    scaled = (sr.clamp(0, 1) * float(np.iinfo(dtype).max)).round()
    pixels: Pixels = np.ascontiguousarray(scaled.permute(1, 2, 0).cpu().numpy().astype(dtype))
    return pixels
