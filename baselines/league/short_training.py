"""Short trainings, by which learning rates and shapes are chosen: each is done once and kept in a file."""

import math
from dataclasses import replace
from pathlib import Path

from torch import nn

from baselines.league.entries import Entry
from baselines.league.record import lineage, read
from baselines.league.setup import SHARE, Setup
from sr.errors import InputError
from sr.files import write_json
from sr.measure.quality import evaluate
from sr.progress import Report, no_report
from sr.training.deployed_fit import fit_deployed
from sr.training.recipe import Recipe
from sr.training.trainer import TrainingFailedError

# Judged on the centres of training pictures: the networks are too small to learn them by heart in so few steps, and
# what decides must not be what the league is judged on.
_CROP_SIDE, _CROPS = 96, 20


def short_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe of the short trainings for a long one."""
    steps = max(1, recipe.steps // SHARE)
    return replace(recipe, steps=steps, warmup_steps=min(recipe.warmup_steps, steps // 5))


def is_done(entry: Entry, rate: float, setup: Setup) -> bool:
    """Return whether a rate was tried before, for this length."""
    return _path(entry, rate, setup).exists()


def short_psnr(entry: Entry, rate: float, setup: Setup) -> float | None:
    """Return the PSNR in dB that a rate came to, None where the training failed or was not done.

    Raises:
        InputError: For a broken file.
    """
    path = _path(entry, rate, setup)
    values = read(path)
    try:
        return None if values is None else values["psnr"]
    except (TypeError, KeyError) as error:
        raise InputError(f"{path} holds no PSNR of a short training; remove it, and it is done anew") from error


def train_shortly(entry: Entry, recipe: Recipe, setup: Setup, report: Report = no_report) -> float | None:
    """Return the PSNR in dB after a short training, None where that failed; what was done before is read.

    Args:
        entry: The network.
        recipe: Of its long training, autotuned, at the rate that is tried.
        setup: What all entries share.
        report: Is told of the steps.

    Raises:
        InputError: Where the file of an earlier run is broken, or the folder cannot be written.
    """
    rate = recipe.learning_rate
    if not is_done(entry, rate, setup):
        psnr = _trained(entry, recipe, setup, report)
        write_json(_path(entry, rate, setup), {"title": entry.title, "psnr": psnr})
    return short_psnr(entry, rate, setup)


def psnr_text(psnr: float | None) -> str:
    """Return what a short training came to, for people."""
    return "failed" if psnr is None else f"{psnr:.2f} dB"


def judged(network: nn.Module, setup: Setup) -> float:
    """Return the PSNR in dB, over RGB, of a deployed network on the crops that short trainings are judged on."""
    device = setup.target.device
    judged_on = setup.train.centre_crops(_CROP_SIDE, _CROPS).to(device)
    return evaluate(network, judged_on, device, with_ssim=False).psnr


def _trained(entry: Entry, recipe: Recipe, setup: Setup, report: Report) -> float | None:
    """Train and judge."""
    try:
        fitted = fit_deployed(
            entry.start(recipe.seed), short_recipe(recipe), setup.train, setup.target.device,
            to_deployed=entry.deployed, label=f"{entry.title} at a learning rate of {recipe.learning_rate:g}",
            report=report,
        )  # fmt: skip
    except TrainingFailedError:
        return None
    psnr = judged(fitted.network, setup)
    return psnr if math.isfinite(psnr) else None


def _path(entry: Entry, rate: float, setup: Setup) -> Path:
    """Return the file that keeps what came of a rate for this length."""
    return setup.folder / "rates" / f"{lineage(entry, setup)}-{setup.recipe.steps}-{rate:g}.json"
