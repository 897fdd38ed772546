"""The learning rate of an entry, the best of the same few for all, and the shape of a family: by short trainings."""

import math
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Choice:
    """The learning rates that were tried, each with its PSNR in dB, None where the training failed."""

    psnr: tuple[tuple[float, float | None], ...]

    @property
    def best(self) -> float:
        """The rate of the best PSNR; the lowest where all trainings failed."""
        reached = [(psnr, -rate) for rate, psnr in self.psnr if psnr is not None]
        return -max(reached)[1] if reached else min(rate for rate, _ in self.psnr)


def short_recipe(recipe: Recipe) -> Recipe:
    """Return the recipe of the short trainings for a long one."""
    steps = max(1, recipe.steps // SHARE)
    return replace(recipe, steps=steps, warmup_steps=min(recipe.warmup_steps, steps // 5))


def known_choice(entry: Entry, setup: Setup) -> Choice | None:
    """Return what was chosen before for this length, None where a rate is left; raises InputError for a broken file."""
    known = {rate: _known(entry, rate, setup) for rate in setup.rates}
    return None if rates_left(entry, setup) else Choice(tuple((rate, each[0]) for rate, each in known.items() if each))


def rates_left(entry: Entry, setup: Setup) -> int:
    """Return how many rates are still to be tried; raises InputError for a broken file."""
    return sum(_known(entry, rate, setup) is None for rate in setup.rates)


def choose(entry: Entry, recipe: Recipe, setup: Setup, report: Report = no_report) -> Choice:
    """Try every rate, where that was not done before, and keep what came of it.

    Args:
        entry: The network.
        recipe: Of its long training, autotuned.
        setup: What all entries share.
        report: Is told of the steps.

    Raises:
        InputError: Where a file of an earlier run is broken, or the folder cannot be written.
    """
    return Choice(tuple((rate, _tried(entry, rate, recipe, setup, report)) for rate in setup.rates))


def at_middle_rate(entry: Entry, recipe: Recipe, setup: Setup, report: Report = no_report) -> float | None:
    """Return the PSNR in dB of a short training at the middle rate, which shapes of a family are compared by.

    Args and errors: as of `choose`, for which it is one of the rates. None where the training failed.
    """
    return _tried(entry, setup.rates[len(setup.rates) // 2], recipe, setup, report)


def judged(network: nn.Module, setup: Setup) -> float:
    """Return the PSNR in dB, over RGB, of a deployed network on the crops that short trainings are judged on."""
    device = setup.target.device
    judged_on = setup.train.centre_crops(_CROP_SIDE, _CROPS).to(device)
    return evaluate(network, judged_on, device, with_ssim=False).psnr


def short_psnr(entry: Entry, rate: float, setup: Setup) -> float | None:
    """Return what a short training at a rate came to, None where it failed or was not done."""
    known = _known(entry, rate, setup)
    return None if known is None else known[0]


def _tried(entry: Entry, rate: float, recipe: Recipe, setup: Setup, report: Report) -> float | None:
    """Return the PSNR after a short training at a rate, None where that failed; what was tried before is read."""
    known = _known(entry, rate, setup)
    if known is not None:
        return known[0]
    psnr = _psnr(entry, replace(recipe, learning_rate=rate), setup, report)
    write_json(_path(entry, rate, setup), {"title": entry.title, "psnr": psnr})
    return psnr


def _known(entry: Entry, rate: float, setup: Setup) -> tuple[float | None] | None:
    """Return what a rate came to before, in a tuple, as a training that failed is known too; None where it is not."""
    path = _path(entry, rate, setup)
    values = read(path)
    try:
        return None if values is None else (values["psnr"],)
    except (TypeError, KeyError) as error:
        raise InputError(f"{path} holds no PSNR of a short training; remove it, and it is done anew") from error


def _psnr(entry: Entry, recipe: Recipe, setup: Setup, report: Report) -> float | None:
    """Return the PSNR after a short training, None where that failed."""
    device = setup.target.device
    try:
        fitted = fit_deployed(
            entry.start(recipe.seed), short_recipe(recipe), setup.train, device, to_deployed=entry.deployed,
            label=f"{entry.title} at a learning rate of {recipe.learning_rate:g}", report=report,
        )  # fmt: skip
    except TrainingFailedError:
        return None
    psnr = judged(fitted.network, setup)
    return psnr if math.isfinite(psnr) else None


def _path(entry: Entry, rate: float, setup: Setup) -> Path:
    """Return the file that keeps what came of a rate for this length."""
    return setup.folder / "rates" / f"{lineage(entry, setup)}-{setup.recipe.steps}-{rate:g}.json"
