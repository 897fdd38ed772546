"""Whether an exported network computes what the network computes."""

from collections.abc import Sequence

import torch
from torch import nn

from sr.files import StrPath
from sr.lr_size import LrSize

TOLERANCE = 1e-4
PARITY_SIZES = ((37, 53), (64, 48), (90, 31), (24, 40), (16, 16))
# A file whose batch is free is run with one picture and with several.
PARITY_BATCHES = (1, 3)


class ExportError(Exception):
    """An exported network that does not compute what the network computes; nothing was written."""


def parity(network: nn.Module, exported: nn.Module, sizes: Sequence[LrSize], batches: Sequence[int] = (1,)) -> float:
    """Compare two networks over random pictures.

    Args:
        network: Maps (n, 3, h, w) to (n, 3, s*h, s*w).
        exported: What should compute the same.
        sizes: The (height, width) of the pictures.
        batches: How many pictures at once, each at every size.

    Returns:
        The largest absolute difference; NaN where either gives one, infinity where their shapes differ.
    """
    generator = torch.Generator().manual_seed(0)
    largest = torch.zeros(())
    with torch.inference_mode():
        for height, width in sizes:
            for batch in batches:
                lr = torch.rand(batch, 3, height, width, generator=generator)
                ours, theirs = network(lr), exported(lr)
                if ours.shape != theirs.shape:
                    return float("inf")
                largest = torch.maximum(largest, (ours - theirs).abs().max())
    return float(largest)


def check_parity(path: StrPath, difference: float) -> None:
    """Check the difference of an export from its network.

    Raises:
        ExportError: Where it exceeds TOLERANCE or is NaN.
    """
    if not difference <= TOLERANCE:
        raise ExportError(
            f"{path} was not written: an export must be within {TOLERANCE:g} of the network, but it differs by "
            f"{difference:.3g}"
        )
