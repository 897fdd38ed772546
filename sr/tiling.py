"""Upscaling a picture of any size by a network, in tiles that overlap where it is large or the network takes one."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from sr.errors import InputError
from sr.lr_size import SCALE, SMALLEST_SIDE, LrSize
from sr.memory import is_out_of_memory

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
) -> Tensor:
    """Upscale LR pictures as `upscale` does, in ever smaller tiles where the memory does not suffice for these.

    Raises:
        torch.OutOfMemoryError: Or what else says so, where it does not suffice for the smallest either.
        InputError: Where the network is not x4.
    """
    while True:
        try:
            return upscale(network, lr, tile=tile, overlap=overlap, device=device)
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
) -> Tensor:
    """Upscale LR pictures, as the network gives them, not clamped.

    Tiles change nothing where the overlap covers the network's receptive field; attention over the whole picture sees
    its tile alone. Sides under SMALLEST_SIDE are padded by repetition meanwhile.

    Args:
        network: Maps (n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w).
        lr: (n, 3, h, w) in [0, 1].
        tile: The side of a tile in LR pixels, for pictures of more pixels than one with its overlaps; None: always
            whole.
        overlap: With how many LR pixels around it each tile is seen.
        device: Where the network is, to which tiles go one at a time; None for where `lr` is.

    Returns:
        (n, 3, 4h, 4w) where `lr` is, which for a large picture is better not a GPU.

    Raises:
        InputError: Where the network is not x4.
    """
    height, width = lr.shape[2:]
    if min(height, width) < SMALLEST_SIDE:
        size = (max(height, SMALLEST_SIDE), max(width, SMALLEST_SIDE))
        return _padded(lambda padded: upscale(network, padded, tile=tile, overlap=overlap, device=device), lr, size)
    there = lr.device if device is None else device
    if tile is None or height * width <= (tile + 2 * overlap) ** 2:
        return _checked(network, lr.to(there)).to(lr.device)
    sr = lr.new_empty(lr.shape[0], 3, SCALE * height, SCALE * width)
    for top, bottom in spans(height, tile):
        for left, right in spans(width, tile):
            # The overlap ends at the picture's edge, so that the network pads there as it would without tiles.
            above, before = max(0, top - overlap), max(0, left - overlap)
            seen = lr[..., above : bottom + overlap, before : right + overlap]
            rows = slice(SCALE * (top - above), SCALE * (bottom - above))
            columns = slice(SCALE * (left - before), SCALE * (right - before))
            whole = sr[..., SCALE * top : SCALE * bottom, SCALE * left : SCALE * right]
            whole.copy_(_checked(network, seen.to(there))[..., rows, columns])
    return sr


def upscale_at_size(network: _Network, lr: Tensor, size: LrSize, *, overlap: int = OVERLAP) -> Tensor:
    """Upscale LR pictures by a network that takes one size, in windows of just that size that overlap.

    What is smaller is padded by repetition meanwhile. A window ends at the picture's edge, never behind it, so that
    the network pads there as it would without windows.

    Args:
        network: Maps (n, 3, *size) in [0, 1] to 4 times that.
        lr: (n, 3, h, w) in [0, 1].
        size: Height and width that it takes.
        overlap: With how many LR pixels around it each part is seen at least; at most a quarter of the window.

    Returns:
        (n, 3, 4h, 4w).

    Raises:
        InputError: Where the network is not x4.
    """
    height, width = lr.shape[2:]
    if height < size[0] or width < size[1]:
        larger = (max(height, size[0]), max(width, size[1]))
        return _padded(lambda padded: upscale_at_size(network, padded, size, overlap=overlap), lr, larger)
    sr = lr.new_empty(lr.shape[0], 3, SCALE * height, SCALE * width)
    for top, bottom, above in windows(height, size[0], overlap):
        for left, right, before in windows(width, size[1], overlap):
            seen = lr[..., above : above + size[0], before : before + size[1]]
            rows = slice(SCALE * (top - above), SCALE * (bottom - above))
            columns = slice(SCALE * (left - before), SCALE * (right - before))
            whole = sr[..., SCALE * top : SCALE * bottom, SCALE * left : SCALE * right]
            whole.copy_(_checked(network, seen)[..., rows, columns])
    return sr


def upscale_at_multiple(network: _Network, lr: Tensor, multiple: int) -> Tensor:
    """Upscale LR pictures by a network whose sides must be multiples, padded by repetition and cropped.

    Raises:
        InputError: Where the network does not run it, or is not x4.
    """
    height, width = lr.shape[2:]
    size = (-(-height // multiple) * multiple, -(-width // multiple) * multiple)
    return _padded(lambda padded: _checked(network, padded), lr, size)


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


def _padded(network: _Network, lr: Tensor, size: LrSize) -> Tensor:
    """Run a network on pictures padded to a size by repetition, at the bottom and the right, and crop what it gives."""
    height, width = lr.shape[2:]
    if (height, width) == size:
        return network(lr)
    padded = F.pad(lr, (0, size[1] - width, 0, size[0] - height), mode="replicate")
    return network(padded)[..., : SCALE * height, : SCALE * width]


def _checked(network: _Network, lr: Tensor) -> Tensor:
    """Run the network; InputError where what it gives is not 4 times as high and wide."""
    sr = network(lr)
    n, _, height, width = lr.shape
    if tuple(sr.shape) != (n, 3, SCALE * height, SCALE * width):
        became = f"{tuple(lr.shape)} became {tuple(sr.shape)}"
        raise InputError(f"a network here turns (n, 3, h, w) into (n, 3, 4h, 4w), but {became}; use a x4 network")
    return sr
