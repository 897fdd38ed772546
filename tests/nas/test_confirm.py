"""The end of a search: who is chosen, and for how long it trains."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from nas.confirm import RIVALS, again, final_recipe, measure_beside, measure_trained, pick
from nas.evaluate import REFERENCE, Setup
from nas.trial import Trial
from search_spaces.msrresnet import REFERENCE_NETWORK, repeated
from search_spaces.network import build
from sr.data import load_pairs
from sr.recipe import Recipe

Outcome = Callable[..., Trial]


@pytest.fixture(scope="module")
def setup() -> Setup:
    val = load_pairs(None, "val", report=print)
    return Setup(
        budget_ms=60_000.0,
        device=torch.device("cpu"),
        lr_size=(16, 24),
        dtype="float32",
        recipe=Recipe(steps=4, batch=2, patch=8, precision="float32", memory_format="contiguous"),
        train=val,
        val=val.centre_crops(24, 1),
        reference=REFERENCE_NETWORK,
    )


def test_the_best_psnr_within_the_budget_is_chosen_beside_its_rivals(setup: Setup, outcome: Outcome) -> None:
    small, large = outcome(0, repeated(8, "branched_conv", 1)), outcome(1, repeated(16, "branched_conv", 2))
    assert large.psnr > small.psnr
    found = pick([small, large, replace(large, number=2, duplicate_of=1)], setup)
    assert found is not None
    assert found.trial == large
    assert set(found.rivals) == set(RIVALS)
    assert found.rivals["msrresnet"].complexity.params == 1_517_571


def test_nothing_is_chosen_where_nothing_keeps_to_the_budget(setup: Setup, outcome: Outcome) -> None:
    trials = [outcome(number, repeated(8, "branched_conv", number + 1)) for number in range(2)]
    assert pick(trials, replace(setup, budget_ms=1e-6)) is None
    assert pick([], setup) is None


def test_what_was_chosen_before_is_measured_again(setup: Setup, outcome: Outcome) -> None:
    trials = [outcome(number, repeated(8, "branched_conv", number + 1)) for number in range(3)]
    assert again(trials, 1, setup).trial == trials[1]


def test_all_are_measured_in_the_same_rounds(setup: Setup) -> None:
    measured = measure_beside({}, replace(setup, lr_size=(16, 16)))
    assert set(measured) == {REFERENCE, *RIVALS}
    assert all(measurement.reference_ms == measured[REFERENCE].reference_ms for measurement in measured.values())


def test_over_the_budget_the_fastest_of_three_passes_counts(setup: Setup) -> None:
    network = build(repeated(8, "branched_conv", 1))
    assert not measure_trained(network, replace(setup, budget_ms=1e-6)).within(1e-6)
    assert measure_trained(network, setup).within(setup.budget_ms)


@pytest.mark.parametrize(("seconds", "steps", "expected"), [(math.inf, 7, 7), (math.inf, None, 40), (0.0, None, 4)])
def test_the_long_training_is_as_long_as_asked(
    seconds: float, steps: int | None, expected: int, setup: Setup, outcome: Outcome
) -> None:
    trial = outcome(0, repeated(8, "branched_conv", 1))
    assert final_recipe(trial, setup, seconds, steps).steps == expected


def test_the_long_training_fills_the_time(setup: Setup, outcome: Outcome) -> None:
    recipe = final_recipe(outcome(0, repeated(8, "branched_conv", 1)), setup, 60.0, None)
    assert recipe.steps > setup.recipe.steps
    assert replace(recipe, steps=setup.recipe.steps) == setup.recipe
