"""Batches for a device that has no room for all pictures: cut on the CPU one ahead, in bytes, in pinned memory."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

from sr.data.pairs import Packed, Pairs, PatchPositions, walked

# LR (b, 3, p, p) and HR (b, 3, P, P) with P = scale * p, uint8 on the CPU, channels_last in memory.
_Bytes = tuple[Tensor, Tensor]


class PinnedBatches:
    """Batches by their numbers, the pixels that `Pairs.cut` gives, in bytes; the next one is cut meanwhile.

    Bytes take a quarter of the way to the device that floats would, and pinned memory lets the step go on meanwhile.

    Args:
        pairs: On the CPU.
        patch: The LR side of patches.
        draw: Where the patches of a batch lie, by its number.
        pin: Whether the batches lie in pinned memory, which takes a CUDA device.
    """

    def __init__(self, pairs: Pairs, patch: int, draw: Callable[[int], PatchPositions], *, pin: bool) -> None:
        self._pairs, self._patch, self._draw, self._pin = pairs, patch, draw, pin
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._ahead: tuple[int, Future[_Bytes]] | None = None

    def batch(self, number: int) -> _Bytes:
        """Return LR and HR of a batch, uint8 on the CPU, and begin with the next one.

        torch keeps pinned memory until the copies out of it are done.
        """
        if self._ahead is None or self._ahead[0] != number:
            self._ahead = number, self._thread.submit(self._cut, number)
        _, future = self._ahead
        sides = future.result()
        self._ahead = number + 1, self._thread.submit(self._cut, number + 1)
        return sides

    def _cut(self, number: int) -> _Bytes:
        """Cut a batch on the CPU."""
        walks = self._pairs.walks(self._draw(number), self._patch)
        sides = (self._patch, self._pairs.scale * self._patch)
        lr, hr = map(_bytes_of, (self._pairs.lr, self._pairs.hr), walks, sides)
        return (lr.pin_memory(), hr.pin_memory()) if self._pin else (lr, hr)


def _bytes_of(side: Packed, walk: Tensor, size: int) -> Tensor:
    """Return the patches of one side as (b, 3, p, p) uint8."""
    pixels = walked(walk, size)
    picked = side.values.view(-1, 3).index_select(0, pixels.view(-1)).view(*pixels.shape, 3)
    return picked.permute(0, 3, 1, 2)
