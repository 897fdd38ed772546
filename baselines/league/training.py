"""One training of an entry: done, judged and kept, or read where that was done before."""

import time
from dataclasses import asdict, replace

import torch

from baselines.league.entries import Entry
from baselines.league.record import Result, path_of, read_result, write_result
from baselines.league.setup import Setup
from baselines.league.short_training import judged, short_psnr
from sr.checkpoint import Checkpoint, load_network, save
from sr.measure.quality import evaluate
from sr.progress import Message, Report, no_report
from sr.training.deployed_fit import fit_deployed
from sr.training.recipe import Recipe
from sr.training.trainer import TrainingFailedError


def is_trained(entry: Entry, seed: int, setup: Setup) -> bool:
    """Return whether a training was done before."""
    return path_of(entry, setup.recipe.steps, seed, setup).exists()


def train(entry: Entry, recipe: Recipe, setup: Setup, report: Report = no_report) -> Result:
    """Train an entry and judge it; killed, the same call goes on, and once finished it reads what came of it.

    A training that fails is begun again at the next lower rate of the setup; so is one that ends below its own short
    training, for a collapse by too high a rate says nothing of the network.

    Args:
        entry: The network.
        recipe: Autotuned, with the rate that was chosen and the seed.
        setup: What all entries share.
        report: Is told of the steps.

    Raises:
        InputError: Where a file of an earlier run is broken, or the folder cannot be written.
    """
    path = path_of(entry, recipe.steps, recipe.seed, setup)
    result = read_result(path) or _train(entry, recipe, setup, report)
    unjudged = {} if result.failure else {name: each for name, each in setup.val.items() if name not in result.quality}
    if unjudged:
        network, device = load_network(path.with_suffix(".pth")).to(setup.target.device), setup.target.device
        judged = {name: evaluate(network, pairs, device) for name, pairs in unjudged.items()}
        result = replace(result, quality={**result.quality, **judged})
    write_result(path, entry, result)
    return result


def _train(entry: Entry, recipe: Recipe, setup: Setup, report: Report) -> Result:
    """Train an entry, keep its deployed form, and return the result before it is judged."""
    path = path_of(entry, recipe.steps, recipe.seed, setup)
    place = f"{setup.target.conditions.device}, PyTorch {torch.__version__}"
    state, failure, began = path.with_suffix(".state"), "", time.monotonic()
    for rate in sorted((rate for rate in setup.rates if rate <= recipe.learning_rate), reverse=True):
        try:
            fitted = fit_deployed(
                entry.start(recipe.seed), replace(recipe, learning_rate=rate), setup.train, setup.target.device,
                to_deployed=entry.deployed, state=state, label=f"{entry.title}, seed {recipe.seed}", report=report,
            )  # fmt: skip
        except TrainingFailedError as error:
            failure = str(error)
            state.unlink(missing_ok=True)
            continue
        short = short_psnr(entry, rate, setup)
        if short is not None and rate > min(setup.rates) and judged(fitted.network, setup) < short:
            line = f"{entry.title}, seed {recipe.seed}, ended below its short training at a learning rate of {rate:g}"
            report(Message(f"{line}: it is trained again at the next lower one", aside=True))
            state.unlink(missing_ok=True)
            continue
        tensors = fitted.network.state_dict()
        save(
            path.with_suffix(".pth"),
            Checkpoint(entry.description, tensors, deployed=True, recipe=asdict(fitted.recipe)),
        )
        state.unlink(missing_ok=True)
        return Result(recipe.steps, recipe.seed, rate, fitted.seconds, unsolved=fitted.unsolved, trained_on=place)
    seconds = time.monotonic() - began
    return Result(recipe.steps, recipe.seed, setup.rates[0], seconds, failure=failure, trained_on=place)
