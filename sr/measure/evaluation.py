"""The quality of a network in a file, beside that of bicubic interpolation on the same pictures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from sr.config import EvaluateConfig
from sr.data.degradation import upscale_bicubic
from sr.data.manifest import Manifest
from sr.data.sources import load_set
from sr.measure.quality import Quality, mean, qualities
from sr.progress import Message, Report, no_report
from sr.upscaling import load_upscaler, place_line, target_of_file

# In HR pixels.
_WINDOW_OF_SSIM = 11


@dataclass(frozen=True)
class Evaluation:
    """How near a network comes to HR.

    Attributes:
        network: The mean over the pictures.
        bicubic: That of plain bicubic interpolation: what every network must beat.
        per_picture: The network's on each picture, by the picture's name.
        engine: What ran the network.
        precision: What it really ran in.
        pictures: Which files that was, and which were left out.
        scale: The network's.
    """

    network: Quality
    bicubic: Quality
    per_picture: Mapping[str, Quality]
    engine: str
    precision: str
    pictures: Manifest
    scale: int


def evaluate_file(config: EvaluateConfig, *, report: Report = no_report) -> Evaluation:
    """Evaluate the network of a file.

    Args:
        config: Which network, on which pictures, whose LR is of the network's scale.
        report: Is told in what the network runs, and of pictures that are left out.

    Returns:
        Its quality and bicubic interpolation's.

    Raises:
        InputError: Where the network cannot be read or no picture can.
    """
    target = target_of_file(config.network, config.device, config.engine, config.dtype)
    network = load_upscaler(config.network, target)
    report(Message(place_line(config.network, target, network)))
    scale = network.scale
    # The window and the borders must fit in.
    minimum = math.ceil((_WINDOW_OF_SSIM + 2 * scale) / scale)
    found = load_set(config.val, "val", minimum_lr_side=minimum, report=report, scale=scale)
    pairs = found.pairs
    ours = list(qualities(network, pairs, target.device))
    bicubic = list(qualities(partial(upscale_bicubic, scale=scale), pairs, target.device))
    each = dict(zip(pairs.names, ours, strict=True))
    return Evaluation(mean(ours), mean(bicubic), each, target.engine, network.precision, found.manifest, scale)
