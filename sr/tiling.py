"""Upscaling a picture of any size by a network, in tiles that overlap where it is large or the network takes one."""

from collections.abc import Callable, Iterator
from functools import partial
from types import EllipsisType

import torch
import torch.nn.functional as F
from torch import Tensor

from sr.errors import InputError
from sr.lr_size import SMALLEST_SIDE, LrSize
from sr.memory import is_out_of_memory
from sr.scale import DEFAULT_SCALE

# With how many LR pixels around it a tile is seen: the receptive field of small networks.
OVERLAP = 32
# What the strides, windows and pooling inside networks ask sides to be multiples of.
MULTIPLES = (2, 4, 8, 16, 32, 64)
# In LR pixels: with its overlaps a picture of 96 pixels, which has room anywhere.
_SMALLEST_TILE = 32
_Network = Callable[[Tensor], Tensor]


def upscale_in_memory(
    network: _Network,
    lr: Tensor,
    *,
    tile: int | None,
    overlap: int = OVERLAP,
    device: torch.device | None = None,
    scale: int = DEFAULT_SCALE,
) -> Tensor:
    """Upscale LR pictures as `upscale` does, in ever smaller tiles where the memory does not suffice for these.

    Raises:
        torch.OutOfMemoryError: Or what else says so, where it does not suffice for the smallest either.
        InputError: Where the network is of another scale.
    """
    while True:
        try:
            return upscale(network, lr, tile=tile, overlap=overlap, device=device, scale=scale)
        except Exception as error:
            # The last that was tried, in LR pixels: a picture may be smaller than its tile.
            side = max(lr.shape[2:]) if tile is None else min(tile, max(lr.shape[2:]))
            if not is_out_of_memory(error) or side <= _SMALLEST_TILE:
                raise
        # Out of the handler, whose traceback holds tensors. Overlaps are seen too.
        tile = max(_SMALLEST_TILE, side // 2)
        if lr.device.type == "cuda" or (device is not None and device.type == "cuda"):
            torch.cuda.empty_cache()


def upscale(
    network: _Network,
    lr: Tensor,
    *,
    tile: int | None,
    overlap: int = OVERLAP,
    device: torch.device | None = None,
    scale: int = DEFAULT_SCALE,
) -> Tensor:
    """Upscale LR pictures, as the network gives them, not clamped.

    Tiles change nothing where the overlap covers the network's receptive field; attention over the whole picture sees
    its tile alone. Sides under SMALLEST_SIDE are padded by repetition meanwhile.

    Args:
        network: Maps (n, 3, h, w) in [0, 1] to (n, 3, scale*h, scale*w).
        lr: (n, 3, h, w) in [0, 1].
        tile: The side of a tile in LR pixels, for pictures of more pixels than one with its overlaps; None: always
            whole.
        overlap: With how many LR pixels around it each tile is seen.
        device: Where the network is, to which tiles go one at a time; None for where `lr` is.
        scale: The network's.

    Returns:
        (n, 3, scale*h, scale*w) where `lr` is, which for a large picture is better not a GPU.

    Raises:
        InputError: Where the network is of another scale.
    """
    height, width = lr.shape[2:]
    if min(height, width) < SMALLEST_SIDE:
        size = (max(height, SMALLEST_SIDE), max(width, SMALLEST_SIDE))
        whole = partial(upscale, network, tile=tile, overlap=overlap, device=device, scale=scale)
        return _padded(whole, lr, size, scale)
    there = lr.device if device is None else device
    if tile is None or height * width <= (tile + 2 * overlap) ** 2:
        return _checked(network, lr.to(there), scale).to(lr.device)
    sr = lr.new_empty(lr.shape[0], 3, scale * height, scale * width)
    for top, bottom in spans(height, tile):
        for left, right in spans(width, tile):
            # The overlap ends at the picture's edge, so that the network pads there as it would without tiles.
            above, before = max(0, top - overlap), max(0, left - overlap)
            seen = lr[..., above : bottom + overlap, before : right + overlap]
            covered = _at_sr((top, bottom), (left, right), scale)
            inside = _at_sr((top - above, bottom - above), (left - before, right - before), scale)
            sr[covered].copy_(_checked(network, seen.to(there), scale)[inside])
    return sr


def upscale_at_size(
    network: _Network, lr: Tensor, size: LrSize, *, overlap: int = OVERLAP, scale: int = DEFAULT_SCALE
) -> Tensor:
    """Upscale LR pictures by a network that takes one size, in windows of just that size that overlap.

    What is smaller is padded by repetition meanwhile. A window ends at the picture's edge, never behind it, so that
    the network pads there as it would without windows.

    Args:
        network: Maps (n, 3, *size) in [0, 1] to `scale` times that.
        lr: (n, 3, h, w) in [0, 1].
        size: Height and width that it takes.
        overlap: With how many LR pixels around it each part is seen at least; at most a quarter of the window.
        scale: The network's.

    Returns:
        (n, 3, scale*h, scale*w).

    Raises:
        InputError: Where the network is of another scale.
    """
    height, width = lr.shape[2:]
    if height < size[0] or width < size[1]:
        larger = (max(height, size[0]), max(width, size[1]))
        windowed = partial(upscale_at_size, network, size=size, overlap=overlap, scale=scale)
        return _padded(windowed, lr, larger, scale)
    sr = lr.new_empty(lr.shape[0], 3, scale * height, scale * width)
    for top, bottom, above in windows(height, size[0], overlap):
        for left, right, before in windows(width, size[1], overlap):
            seen = lr[..., above : above + size[0], before : before + size[1]]
            covered = _at_sr((top, bottom), (left, right), scale)
            inside = _at_sr((top - above, bottom - above), (left - before, right - before), scale)
            sr[covered].copy_(_checked(network, seen, scale)[inside])
    return sr


def upscale_at_multiple(network: _Network, lr: Tensor, multiple: int, scale: int = DEFAULT_SCALE) -> Tensor:
    """Upscale LR pictures by a network whose sides must be multiples, padded by repetition and cropped.

    Raises:
        InputError: Where the network does not run it, or is of another scale.
    """
    height, width = lr.shape[2:]
    size = (-(-height // multiple) * multiple, -(-width // multiple) * multiple)
    return _padded(lambda padded: _checked(network, padded, scale), lr, size, scale)


def spans(length: int, tile: int) -> Iterator[tuple[int, int]]:
    """Cut `length` (>= 1) into nearly equal spans (start, end) of at most `tile`."""
    count = -(-length // tile)
    for index in range(count):
        yield index * length // count, (index + 1) * length // count


def windows(length: int, size: int, overlap: int) -> Iterator[tuple[int, int, int]]:
    """Cut `length` (>= size) into spans (start, end, where the window of `size` that it is seen in starts)."""
    overlap = min(overlap, size // 4)
    if length == size:
        yield 0, length, 0
        return
    for start, end in spans(length, size - 2 * overlap):
        middle = (start + end - size) // 2
        yield start, end, min(max(0, middle), length - size)


def _at_sr(rows: tuple[int, int], columns: tuple[int, int], scale: int) -> tuple[EllipsisType, slice, slice]:
    """Return where rows and columns of LR, as spans (start, end), lie in SR."""
    (top, bottom), (left, right) = rows, columns
    return ..., slice(scale * top, scale * bottom), slice(scale * left, scale * right)


def _padded(network: _Network, lr: Tensor, size: LrSize, scale: int) -> Tensor:
    """Run a network on pictures padded to a size by repetition, at the bottom and the right, and crop what it gives."""
    height, width = lr.shape[2:]
    if (height, width) == size:
        return network(lr)
    padded = F.pad(lr, (0, size[1] - width, 0, size[0] - height), mode="replicate")
    return network(padded)[_at_sr((0, height), (0, width), scale)]


def _checked(network: _Network, lr: Tensor, scale: int) -> Tensor:
    """Run the network; InputError where what it gives is not `scale` times as high and wide."""
    sr = network(lr)
    n, _, height, width = lr.shape
    if tuple(sr.shape) != (n, 3, scale * height, scale * width):
        became = f"{tuple(lr.shape)} became {tuple(sr.shape)}"
        expected = f"a network here turns (n, 3, h, w) into (n, 3, {scale}h, {scale}w)"
        raise InputError(f"{expected}, but {became}; use a x{scale} network")
    return sr
