"""How near a network comes to HR over a set of pictures."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from sr.data.degradation import upscale_bicubic
from sr.data.pairs import Pairs
from sr.measure.device_lock import training_on
from sr.measure.metrics import psnr, ssim
from sr.tiling import upscale_in_memory


@dataclass(frozen=True)
class Quality:
    """How near a network comes to HR, mean over pictures.

    Attributes:
        psnr: Over RGB, in dB.
        psnr_y: Over Y, in dB.
        ssim: Over Y; None if not asked for.
        pictures: How many.
    """

    psnr: float
    psnr_y: float
    ssim: float | None
    pictures: int


def evaluate(
    network: nn.Module, pairs: Pairs, device: torch.device | str = "cpu", *, with_ssim: bool = True
) -> Quality:
    """Return the quality of a network, run in eval mode and left in the modes that it had.

    Args:
        network: On `device`, mapping (n, 3, h, w) in [0, 1] to pictures of the pairs' scale.
        pairs: What it is judged on.
        device: Where it runs.
        with_ssim: Whether SSIM, which takes longer than a small network, is wanted.

    Raises:
        ValueError: Where there is no pair.
    """
    with _evaluating(network):
        return mean(list(qualities(network, pairs, device, with_ssim=with_ssim)))


def bicubic_quality(pairs: Pairs, device: torch.device | str = "cpu", *, with_ssim: bool = True) -> Quality:
    """Return the quality of plain bicubic interpolation: what every network must beat."""
    return mean(list(qualities(partial(upscale_bicubic, scale=pairs.scale), pairs, device, with_ssim=with_ssim)))


def qualities(
    upscaler: Callable[[Tensor], Tensor], pairs: Pairs, device: torch.device | str, *, with_ssim: bool = True
) -> Iterator[Quality]:
    """Yield the quality on each picture in turn, each upscaled whole where the memory suffices.

    It holds the device with those who train on it, and lets whoever measures there in between two pictures.
    """
    for index in range(len(pairs)):
        # Not around the yield: between two pictures the caller's own mode holds.
        with training_on(torch.device(device)), torch.inference_mode():
            lr, hr = (side.to(device) for side in pairs.pair(index))
            # In tiles only where a GPU has no room for it whole: nothing of the hours before is lost then.
            sr, border = upscale_in_memory(upscaler, lr, tile=None, scale=pairs.scale), pairs.scale
            similarity = ssim(sr, hr, border=border) if with_ssim else None
            quality = Quality(psnr(sr, hr, border=border), psnr(sr, hr, luma=True, border=border), similarity, 1)
        yield quality


def mean(each: Sequence[Quality]) -> Quality:
    """Return the mean over pictures, every picture counting the same.

    Raises:
        ValueError: For none.
    """
    if not each:
        raise ValueError("the mean quality takes at least one picture, got none")
    similarities = [quality.ssim for quality in each if quality.ssim is not None]
    return Quality(
        psnr=sum(quality.psnr for quality in each) / len(each),
        psnr_y=sum(quality.psnr_y for quality in each) / len(each),
        ssim=sum(similarities) / len(each) if len(similarities) == len(each) else None,
        pictures=sum(quality.pictures for quality in each),
    )


@contextlib.contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Hold a network in eval mode, then give every module of it the mode back that it had."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
