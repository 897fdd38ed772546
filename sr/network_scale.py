"""The scale of a network that no description is beside: found by running it on one small picture."""

from collections.abc import Callable

import torch
from torch import Tensor

from sr.errors import InputError
from sr.memory import is_out_of_memory
from sr.scale import DEFAULT_SCALE, SCALES

# Multiples of whatever the strides and windows inside networks ask for; two sides, since both are looked at.
_HEIGHT, _WIDTH = 64, 128


def scale_of(
    run: Callable[[Tensor], Tensor],
    lr_size: tuple[int | None, int | None] = (None, None),
    device: torch.device | str = "cpu",
) -> int:
    """Return how many times as high and wide as LR what a network gives is.

    A network that does not run this picture at all, as one for another size alone that does not tell which, is taken to
    be of DEFAULT_SCALE: what it gives is looked at whenever it is run.

    Args:
        run: Maps (1, 3, h, w) float32 in [0, 1] to (1, 3, s*h, s*w).
        lr_size: Height and width that it takes alone; None for each that is free.
        device: Where the network is.

    Raises:
        InputError: Where that is none of SCALES, or another for the height than for the width.
    """
    height, width = lr_size[0] or _HEIGHT, lr_size[1] or _WIDTH
    lr = torch.full((1, 3, height, width), 0.5, device=device)
    try:
        with torch.inference_mode():
            sr = run(lr)
    except (InputError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        return DEFAULT_SCALE
    for scale in SCALES:
        if tuple(sr.shape) == (1, 3, scale * height, scale * width):
            return scale
    raise InputError(
        f"a network here turns (n, 3, h, w) into (n, 3, s*h, s*w) with s one of {', '.join(map(str, SCALES))}, "
        f"but {tuple(lr.shape)} became {tuple(sr.shape)}"
    )
