"""Pictures on their way to the nodes of a cluster: once on each, in its object store."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch

from nas.evaluate import Setup
from sr.data.pairs import Packed, Pairs

_NONE = Packed(torch.empty(0, dtype=torch.uint8), *(torch.empty(0, dtype=torch.int64) for _ in range(3)))


def without_pictures(setup: Setup) -> Setup:
    """Return a setup as it travels to another machine: what it holds of pictures and of this machine stays here."""
    nothing = Pairs((), _NONE, _NONE, scale=setup.scale)
    return replace(setup, train=nothing, val=nothing, measurer=None, devices=())


@dataclass(frozen=True)
class StoredPairs:
    """Pairs as numpy arrays, which every worker of a node reads where they lie in the object store.

    Tensors would be copied into each worker.
    """

    names: tuple[str, ...]
    lr: tuple["np.ndarray[tuple[int, ...], np.dtype[np.generic]]", ...]
    hr: tuple["np.ndarray[tuple[int, ...], np.dtype[np.generic]]", ...]
    scale: int

    @classmethod
    def of(cls, pairs: Pairs) -> "StoredPairs":
        """Return pairs as they are stored, from whatever device they lie on."""
        there = pairs.to("cpu")
        return cls(there.names, _arrays(there.lr), _arrays(there.hr), there.scale)

    def pairs(self) -> Pairs:
        """Return the pairs, whose tensors are the arrays themselves."""
        return Pairs(self.names, _packed(self.lr), _packed(self.hr), scale=self.scale)


def _arrays(packed: Packed) -> tuple["np.ndarray[tuple[int, ...], np.dtype[np.generic]]", ...]:
    return tuple(each.numpy() for each in (packed.values, packed.offsets, packed.heights, packed.widths))


def _packed(arrays: tuple["np.ndarray[tuple[int, ...], np.dtype[np.generic]]", ...]) -> Packed:
    with warnings.catch_warnings():
        # What lies in the object store can be read alone, and pictures are.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return Packed(*map(torch.from_numpy, arrays))
