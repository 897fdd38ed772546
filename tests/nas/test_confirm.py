"""The end of a search: who is chosen, and for how long it trains."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nas.confirm import RIVALS, again, final_recipe, measure_beside, measure_trained, pick
from nas.course import Course, course
from nas.evaluate import REFERENCE, Setup
from nas.rungs import Rung
from nas.trial import Trial
from search_spaces.msrresnet import repeated
from search_spaces.network import build

Outcome = Callable[..., Trial]


@pytest.fixture
def plain(setup: Setup, tmp_path: Path) -> Course:
    return course("train", setup, tmp_path)


def test_the_best_psnr_within_the_budget_is_chosen_beside_its_rivals(setup: Setup, outcome: Outcome) -> None:
    small, large = outcome(0, repeated(8, "branched_conv", 1)), outcome(1, repeated(16, "branched_conv", 2))
    assert large.psnr > small.psnr
    found = pick([small, large, replace(large, number=2, duplicate_of=1)], setup)
    assert found is not None
    assert found.trial == large
    assert set(found.rivals) == set(RIVALS)
    assert found.rivals["msrresnet"].complexity.params == 1_517_571


def test_who_climbed_further_is_chosen_before_a_better_first_rung(setup: Setup, outcome: Outcome) -> None:
    small, large = outcome(0, repeated(8, "branched_conv", 1)), outcome(1, repeated(16, "branched_conv", 2))
    climbed = replace(small, rungs=(Rung(1, small.psnr, 1.0), Rung(4, large.psnr - 1, 1.0)))
    found = pick([climbed, replace(large, rungs=(Rung(1, large.psnr, 1.0),))], setup)
    assert found is not None
    assert found.trial == climbed


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
    seconds: float, steps: int | None, expected: int, plain: Course, outcome: Outcome
) -> None:
    trial = outcome(0, repeated(8, "branched_conv", 1))
    assert final_recipe(trial, plain, seconds, steps).steps == expected


def test_the_long_training_fills_the_time(plain: Course, outcome: Outcome) -> None:
    recipe = final_recipe(outcome(0, repeated(8, "branched_conv", 1)), plain, 60.0, None)
    assert recipe.steps > plain.setup.recipe.steps
    assert replace(recipe, steps=plain.setup.recipe.steps) == plain.setup.recipe
