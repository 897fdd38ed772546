"""The quality of a network in a file, beside that of bicubic interpolation on the same pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

from sr.config import EvaluateConfig
from sr.data.degradation import upscale_bicubic
from sr.data.sources import load_pairs
from sr.measure.quality import Quality, mean, qualities
from sr.measure.target import parse_device
from sr.progress import Report, no_report
from sr.upscaling import load_upscaler

# SSIM's window of 11 HR pixels and the borders of 4 must fit in.
_MINIMUM_LR_SIDE = 5


@dataclass(frozen=True)
class Evaluation:
    """How near a network comes to HR.

    Attributes:
        network: The mean over the pictures.
        bicubic: That of plain bicubic interpolation: what every network must beat.
        per_picture: The network's on each picture, by the picture's name.
    """

    network: Quality
    bicubic: Quality
    per_picture: Mapping[str, Quality]


def evaluate_file(config: EvaluateConfig, *, report: Report = no_report) -> Evaluation:
    """Evaluate the network of a file.

    Args:
        config: Which network, on which pictures.
        report: Is told of pictures that are skipped.

    Returns:
        Its quality and bicubic interpolation's.

    Raises:
        InputError: Where the network cannot be read or no picture can.
    """
    device = parse_device(config.device)
    network = load_upscaler(config.network, device)
    pairs = load_pairs(config.val, "val", minimum_lr_side=_MINIMUM_LR_SIDE, report=report)
    ours = list(qualities(network, pairs, device))
    bicubic = list(qualities(upscale_bicubic, pairs, device))
    return Evaluation(mean(ours), mean(bicubic), dict(zip(pairs.names, ours, strict=True)))
