"""A training up to the form that runs: what is only trained is folded, and the last convolution is solved for."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from sr.data.pairs import Pairs
from sr.deployment import deploy
from sr.files import StrPath
from sr.progress import Report, no_report
from sr.training.fit import fit, solve_last
from sr.training.recipe import Recipe


@dataclass(frozen=True)
class DeployedFit:
    """A network that was trained and deployed.

    Attributes:
        network: In deployed form, on the device, in eval mode.
        recipe: As autotuned.
        seconds: How long the steps took.
        unsolved: Why its last convolution is as trained though the recipe asks for its solution; else empty.
    """

    network: nn.Module
    recipe: Recipe
    seconds: float
    unsolved: str


def fit_deployed(
    network: nn.Module,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    *,
    to_deployed: Callable[[nn.Module], nn.Module] = deploy,
    state: StrPath | None = None,
    label: str = "training",
    teacher: nn.Module | None = None,
    report: Report = no_report,
) -> DeployedFit:
    """Train a network in its training form and return it in the form that runs.

    Where the recipe solves for the last convolution, that of the deployed form is solved for: branches have none.

    Args:
        network: In training form; trained in place.
        recipe: How it is trained.
        pairs: What it learns from.
        device: Where it is trained.
        to_deployed: From the trained network to the deployed one.
        state: As of `fit`.
        label: What the steps are reported as.
        teacher: What it learns from besides, as of `fit`.
        report: Is told of the steps.

    Raises:
        TrainingFailedError: As `fit` does.
        InputError: Where `state` is of another training.
    """
    plain = replace(recipe, solve_output=False)
    fitted = fit(network, plain, pairs, device, state=state, label=label, teacher=teacher, report=report)
    deployed = to_deployed(fitted.network).to(device)
    unsolved = _solved(deployed, fitted.recipe, pairs, device) if recipe.solve_output else ""
    tuned = replace(fitted.recipe, solve_output=recipe.solve_output)
    return DeployedFit(deployed.eval(), tuned, fitted.seconds, unsolved)


def _solved(network: nn.Module, recipe: Recipe, pairs: Pairs, device: torch.device) -> str:
    """Solve for the last convolution, in place; return why not where it is none to solve for."""
    try:
        solve_last(network, recipe, pairs, device)
    except ValueError as error:
        return str(error)
    return ""
