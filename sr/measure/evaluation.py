"""The quality of a network in a file, beside that of bicubic interpolation on the same pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

from sr.config import EvaluateConfig
from sr.data.degradation import upscale_bicubic
from sr.data.manifest import Manifest
from sr.data.sources import load_set
from sr.measure.quality import Quality, mean, qualities
from sr.progress import Message, Report, no_report
from sr.upscaling import load_upscaler, place_line, target_of_file

# SSIM's window of 11 HR pixels and the borders of 4 must fit in.
_MINIMUM_LR_SIDE = 5


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
    """

    network: Quality
    bicubic: Quality
    per_picture: Mapping[str, Quality]
    engine: str
    precision: str
    pictures: Manifest


def evaluate_file(config: EvaluateConfig, *, report: Report = no_report) -> Evaluation:
    """Evaluate the network of a file.

    Args:
        config: Which network, on which pictures.
        report: Is told in what the network runs, and of pictures that are left out.

    Returns:
        Its quality and bicubic interpolation's.

    Raises:
        InputError: Where the network cannot be read or no picture can.
    """
    target = target_of_file(config.network, config.device, config.engine, config.dtype)
    network = load_upscaler(config.network, target)
    report(Message(place_line(config.network, target, network)))
    found = load_set(config.val, "val", minimum_lr_side=_MINIMUM_LR_SIDE, report=report)
    pairs = found.pairs
    ours = list(qualities(network, pairs, target.device))
    bicubic = list(qualities(upscale_bicubic, pairs, target.device))
    each = dict(zip(pairs.names, ours, strict=True))
    return Evaluation(mean(ours), mean(bicubic), each, target.engine, network.precision, found.manifest)
