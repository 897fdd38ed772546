"""The challenge's own runtime: the mean over a list of frame sizes, the best of three passes."""

import csv
import statistics
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from sr.deployment import DTYPES
from sr.errors import InputError
from sr.latency import MEMORY_FORMATS, Protocol, Runner
from sr.lease import measuring_on
from sr.lr_size import LrSize, parse_size

# The LR sizes of the 100 test pictures of DIV2K.
DIV2K_TEST = Path(__file__).with_name("div2k_test_lr_sizes.csv")
PASSES = 3


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
    network: nn.Module, device: torch.device, frames: Sequence[LrSize], *, dtype: str, memory_format: str
) -> tuple[float, ...]:
    """Return the mean milliseconds per frame of each of PASSES passes of the deployed form, alone on `device`.

    As the challenge did, each frame is run once: no frame warms up for another, and the best pass counts.
    """
    with measuring_on(device), torch.inference_mode():
        # Hopeless by declaration: the runner times nothing before the first frame but one cold run.
        protocol = Protocol(memory_format=memory_format, hopeless_ms=0.0)
        runner = Runner(network, device, frames[0], DTYPES[dtype], protocol)
        pictures = {size: torch.rand(1, 3, *size).to(runner.lr).contiguous(memory_format=MEMORY_FORMATS[memory_format])
                    for size in set(frames)}  # fmt: skip
        return tuple(statistics.fmean(frame_ms(runner, pictures[size]) for size in frames) for _ in range(PASSES))


def frame_ms(runner: Runner, picture: torch.Tensor) -> float:
    """Return the milliseconds of one run on `picture`."""
    runner.lr = picture
    (taken,) = runner.times(1)
    return taken


def estimated_seconds(median_ms: float, lr_size: LrSize, frames: Sequence[LrSize]) -> float:
    """Return about how long the passes of a network take that needs `median_ms` for `lr_size`: by pixels."""
    pixels = sum(height * width for height, width in frames)
    return PASSES * median_ms / 1000 * pixels / (lr_size[0] * lr_size[1])
