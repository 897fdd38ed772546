"""Hand-designed networks of the same budget: measured beside the finalists, and where asked for trained alike."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from baselines.at_budget import Size, largest_predicted, scalable_families
from baselines.registry import BASELINES, build
from nas.config.search import SearchConfig
from nas.evaluate import Setup
from sr.data.pairs import Pairs
from sr.errors import InputError
from sr.measure.latency_model import LatencyModel
from sr.measure.quality import Quality, evaluate
from sr.progress import Message, Report, no_report
from sr.training.deployed_fit import fit_deployed
from sr.training.recipe import Recipe
from sr.training.trainer import TrainingFailedError

# Of the budget, what a member is predicted to take at the most.
_MARGIN = 0.9
# Families that every search shows: of the real-time ones and of the challenges' winners those that fit small budgets.
SHOWN = ("ecbsr", "etds", "abpn", "sesr", "span", "rfdn")


def check_rivals(config: SearchConfig) -> None:
    """Raise InputError where a family that is asked for has no sizes at the scale that is searched."""
    families = scalable_families(config.scale)
    if unknown := [name for name in config.rivals_of(families) if name not in families]:
        raise InputError(
            f"--rivals takes all, or of {', '.join(families)} (those at x{config.scale}) with commas between; "
            f"got {unknown[0]!r}"
        )


def rivals_of(names: Sequence[str], setup: Setup, model: LatencyModel) -> list[Size]:
    """Return of hand-designed families the largest members at the study's scale that are predicted within the budget.

    With a margin: of these networks the model has seen none.
    """
    return largest_predicted(names, _MARGIN * setup.budget_ms, setup.target, model, scale=setup.scale)


def trained_alike(
    members: Sequence[Size],
    names: Sequence[str],
    recipe: Recipe,
    setup: Setup,
    val: Pairs,
    report: Report = no_report,
    keep: Callable[[str, nn.Module], None] | None = None,
    teacher: nn.Module | None = None,
) -> dict[str, Quality]:
    """Train hand-designed networks for the same steps by the same recipe as the chosen one, and judge them.

    Args:
        members: Those within the budget.
        names: The families that are wanted.
        recipe: Of the chosen network's long training.
        setup: With the training pictures and the device.
        val: All validation pictures, on that device.
        report: Is told of the steps.
        keep: Is given each by its title, as it was judged.
        teacher: What the chosen one learnt from besides; None where it had none.

    Returns:
        The quality of each by its title; of one whose training failed nothing, and a message says so.
    """
    found = dict[str, Quality]()
    for member in members:
        if member.name not in names:
            continue
        try:
            network = _trained(member, recipe, setup, teacher, report)
        except TrainingFailedError as error:
            report(Message(f"{member.title} has no PSNR: {error}"))
            continue
        found[member.title] = evaluate(network, val, setup.target.device, with_ssim=False)
        if keep is not None:
            keep(member.title, network.eval())
    return found


def _trained(member: Size, recipe: Recipe, setup: Setup, teacher: nn.Module | None, report: Report) -> nn.Module:
    """Return a member in deployed form, trained in its training form and its last convolution solved for as ours is."""
    torch.manual_seed(recipe.seed)
    network = build(member.name, **{**member.config, **BASELINES[member.name].training_form})
    label = f"training {member.title}"
    device = setup.target.device
    fitted = fit_deployed(network, recipe, setup.train, device, label=label, teacher=teacher, report=report)
    if fitted.unsolved:
        report(Message(f"{member.title}: its last convolution is as trained ({fitted.unsolved})"))
    return fitted.network
