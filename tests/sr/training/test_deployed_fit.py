"""A training that ends in the form that runs."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from search_spaces.wide_reparam import EdgeOrientedConv
from sr.data.pairs import Pairs
from sr.deployment import deploy
from sr.training.deployed_fit import fit_deployed
from sr.training.fit import fit
from sr.training.recipe import Recipe

pytestmark = pytest.mark.numeric

CPU = torch.device("cpu")
RECIPE = Recipe(steps=12, batch=2, patch=6, warmup_steps=2, precision="float32", memory_format="contiguous")


def branched() -> nn.Module:
    """Return a network whose last convolution is branches while it trains."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), EdgeOrientedConv(8, 48), nn.PixelShuffle(4))


def test_what_is_only_trained_is_folded(pairs: Pairs) -> None:
    fitted = fit_deployed(branched(), RECIPE, pairs, CPU)
    alike = deploy(fit(branched(), RECIPE, pairs, CPU).network).state_dict()
    assert all(torch.equal(tensor, alike[key]) for key, tensor in fitted.network.state_dict().items())
    assert not any(module.training for module in fitted.network.modules())
    assert (fitted.recipe, fitted.unsolved) == (RECIPE, "")
    assert fitted.seconds > 0


def test_the_last_convolution_of_the_folded_form_is_solved_for(pairs: Pairs) -> None:
    # So slow that nearly all is left to the solution.
    slow = replace(RECIPE, learning_rate=1e-5)
    solving = replace(slow, solve_output=True)
    fitted, plain = (fit_deployed(branched(), recipe, pairs, CPU) for recipe in (solving, slow))
    before, after = (each.network.state_dict() for each in (plain, fitted))
    assert [key for key in before if not torch.equal(before[key], after[key])] == ["2.weight", "2.bias"]
    assert fitted.recipe == solving


def test_a_network_whose_last_convolution_is_clipped_says_so_and_is_as_trained(
    pairs: Pairs, tiny: Callable[..., nn.Module]
) -> None:
    network = nn.Sequential(tiny(), nn.Sigmoid())
    fitted = fit_deployed(network, replace(RECIPE, solve_output=True), pairs, CPU)
    assert "only moves and sums follow" in fitted.unsolved


def test_the_form_that_runs_is_made_as_asked(pairs: Pairs, tiny: Callable[..., nn.Module]) -> None:
    fitted = fit_deployed(tiny(), RECIPE, pairs, CPU, to_deployed=lambda trained: nn.Sequential(trained))
    assert isinstance(fitted.network, nn.Sequential)
    assert len(fitted.network) == 1
