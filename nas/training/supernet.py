"""A supernet trained on the architectures that may be chosen, and the scores and weights that it gives."""

from pathlib import Path

import torch
from torch import nn

from nas.training.population import Population
from nas.training.sandwich import Sandwich
from search_spaces.architecture import Architecture
from search_spaces.network import SearchedNetwork, silence
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet
from sr.data.pairs import Pairs, fitting_patch
from sr.measure.device_lock import training_on
from sr.measure.quality import Quality, evaluate
from sr.progress import Report, no_report
from sr.seeds import generator
from sr.training.fit import fit
from sr.training.recipe import Recipe

# Statistics are the mean over so many batches of training patches; a few hundred thousand pixels tell them well enough.
_CALIBRATION_BATCHES = 8
_CALIBRATION_BATCH = 16
_CALIBRATION_PATCH = 32


def untrained(space: SearchSpace, population: Population, seed: int) -> Supernet:
    """Return the supernet that holds a population, as a training from `seed` starts."""
    torch.manual_seed(seed)
    supernet = Supernet(space, population.num_feat_most, population.positions)
    for upsampler in supernet.upsamplers.values():
        silence(upsampler)
    return supernet


def train(
    supernet: Supernet,
    population: Population,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    *,
    distillation: float = 0.5,
    state: Path | None = None,
    report: Report = no_report,
) -> Supernet:
    """Train a supernet in place on `device` and return it, or its average where the recipe asks for one, in eval mode.

    distillation: see `Sandwich`. state: as in `sr.training.fit.fit`, whose errors are raised.
    """
    sandwich = Sandwich(supernet, population, seed=recipe.seed, distillation=distillation)
    trained = fit(sandwich, recipe, pairs, device, state=state, label="supernet", report=report).network
    assert isinstance(trained, Sandwich)
    return trained.supernet


def score(
    supernet: Supernet,
    architecture: Architecture,
    val: Pairs,
    device: torch.device,
    *,
    train: Pairs | None = None,
) -> Quality:
    """Return the quality on `val` of an architecture with the supernet's weights; the supernet stays.

    Raises ValueError where the architecture is outside the supernet, and as `score_inherited` does.
    """
    return score_inherited(inherited(supernet, architecture), val, device, train=train)


def score_inherited(network: nn.Module, val: Pairs, device: torch.device, *, train: Pairs | None = None) -> Quality:
    """Return the quality on `val`, without SSIM, of a network that has a supernet's weights; it is moved to `device`.

    train: what batch norm's statistics are taken from anew, as the shared ones are of other networks too. Raises
    ValueError where the network has batch norm and is given no `train`.
    """
    with training_on(device):
        network = network.to(device)
        if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
            if train is None:
                raise ValueError("the score of a network with batch norm takes training pairs, got none")
            recalibrate(network, train, device)
    return evaluate(network, val, device, with_ssim=False)


def inherited(supernet: Supernet, architecture: Architecture) -> SearchedNetwork:
    """Return the network of an architecture with the supernet's weights, from which a training can start."""
    return supernet.extract(architecture)


@torch.no_grad()
def recalibrate(network: nn.Module, pairs: Pairs, device: torch.device) -> None:
    """Set the running statistics of a network's batch norm to their mean over training patches; leaves eval mode."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # all batches count the same
    network.train()
    patch = fitting_patch(pairs, _CALIBRATION_PATCH)
    for step in range(_CALIBRATION_BATCHES):
        network(pairs.patches(_CALIBRATION_BATCH, patch, generator(0, step))[0].to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
