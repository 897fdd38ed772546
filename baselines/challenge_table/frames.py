"""The challenge's own runtime: the mean over a list of frame sizes, the best of three passes."""

import csv
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from sr.deployment import deploy
from sr.errors import InputError
from sr.lr_size import LrSize, parse_size
from sr.measure.device_lock import measuring_on
from sr.measure.engines.network import of_any_size
from sr.measure.target import Target

# The LR sizes of the 100 test pictures of DIV2K.
DIV2K_TEST = Path(__file__).with_name("div2k_test_lr_sizes.csv")
_PASSES = 3


def read_sizes(path: Path) -> tuple[LrSize, ...]:
    """Read a CSV with the columns width and height, one line per frame; raises InputError where it is none."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            lines = csv.DictReader(handle)
            if not {"width", "height"} <= set(lines.fieldnames or ()):
                raise InputError(f"{path} must be a CSV with the columns width,height; it has {lines.fieldnames}")
            sizes = tuple(parse_size(f"{line['width']}x{line['height']}") for line in lines)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} must be a CSV with the columns width,height: {error}") from error
    if not sizes:
        raise InputError(f"{path} must have at least one line width,height under its heading")
    return sizes


def pass_means(
    network: nn.Module, target: Target, frames: Sequence[LrSize], *, memory_format: str
) -> tuple[float, ...]:
    """Time passes over all frames in the deployed form, alone on the target's device.

    As the challenge did, each frame is run once: no frame warms up for another, and the best pass counts.

    Args:
        network: Maps (n, 3, h, w) to (n, 3, 4h, 4w).
        target: Where and in which dtype it runs; the sizes are those of the frames.
        frames: The LR sizes, in their order.
        memory_format: A key of `MEMORY_FORMATS`.

    Returns:
        The mean milliseconds per frame of each of three passes.

    Raises:
        InputError: Where the engine cannot run the network, or runs one size alone.
    """
    with measuring_on(target.device):
        placed = of_any_size(deploy(network), replace(target, lr_size=frames[0]), memory_format=memory_format)
        runner = placed.runner
        runner.run_ms()
        pictures = {size: torch.rand(1, 3, *size) for size in set(frames)}
        return tuple(statistics.fmean(runner.run_ms(pictures[size]) for size in frames) for _ in range(_PASSES))


def estimated_seconds(median_ms: float, lr_size: LrSize, frames: Sequence[LrSize]) -> float:
    """Return about how long the passes of a network take that needs `median_ms` for `lr_size`: by pixels."""
    pixels = sum(height * width for height, width in frames)
    return _PASSES * median_ms / 1000 * pixels / (lr_size[0] * lr_size[1])
