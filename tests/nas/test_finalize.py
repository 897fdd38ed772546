"""The end of a search: who is chosen, for how long it trains, and what is shipped."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.evaluate import REFERENCE, Setup
from nas.finalize import (
    Finalist,
    _measure_beside,
    _train_and_ship_once,
    final_recipe,
    pick,
    pick_again,
    train_and_ship,
)
from nas.successive_halving import Rung
from nas.training.fidelity_schedule import FidelitySchedule, fidelity_schedule
from nas.trial import Trial
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.supernet import Supernet
from sr.checkpoint import load, load_network
from sr.deployment import in_dtype
from sr.errors import InputError
from sr.measure.latency import Protocol
from sr.measure.measurement import Measurement
from sr.measure.quality import bicubic_quality, evaluate
from sr.progress import Event, Message
from sr.training.recipe import Recipe

Outcome = Callable[..., Trial]
RIVALS = {"msrresnet", "imdn", "rfdn"}


@pytest.fixture
def plain(setup: Setup, tmp_path: Path) -> FidelitySchedule:
    return fidelity_schedule("train", setup, tmp_path)


@pytest.fixture
def finalist(outcome: Outcome) -> Finalist:
    trial = outcome(3, repeated(8, "branched_conv", 1))
    assert trial.measurement is not None
    return Finalist(trial, trial.measurement, {})


def test_best_psnr_within_the_budget_is_picked_beside_its_rivals(setup: Setup, few: Protocol, outcome: Outcome) -> None:
    small, large = outcome(0, repeated(8, "branched_conv", 1)), outcome(1, repeated(16, "branched_conv", 2))
    assert large.psnr > small.psnr
    found = pick([small, large, replace(large, number=2, duplicate_of=1)], setup, few)
    assert found is not None
    assert found.trial == large
    assert set(found.rivals) == RIVALS
    assert found.rivals["msrresnet"].complexity.params == 1_517_571


def test_promoted_candidate_is_picked_before_a_better_first_rung(setup: Setup, few: Protocol, outcome: Outcome) -> None:
    small, large = outcome(0, repeated(8, "branched_conv", 1)), outcome(1, repeated(16, "branched_conv", 2))
    promoted = replace(small, rungs=(Rung(1, small.psnr, 1.0), Rung(4, large.psnr - 1, 1.0)))
    found = pick([promoted, replace(large, rungs=(Rung(1, large.psnr, 1.0),))], setup, few)
    assert found is not None
    assert found.trial == promoted


def test_nothing_is_picked_where_nothing_keeps_to_the_budget(setup: Setup, few: Protocol, outcome: Outcome) -> None:
    trials = [outcome(number, repeated(8, "branched_conv", number + 1)) for number in range(2)]
    assert pick(trials, replace(setup, budget_ms=1e-6), few) is None
    assert pick([], setup, few) is None


def test_trial_that_was_picked_before_is_measured_again(setup: Setup, few: Protocol, outcome: Outcome) -> None:
    trials = [outcome(number, repeated(8, "branched_conv", number + 1)) for number in range(3)]
    assert pick_again(trials, 1, setup, few).trial == trials[1]


def test_reference_and_rivals_are_measured_in_the_same_rounds(setup: Setup, few: Protocol) -> None:
    measured = _measure_beside({}, replace(setup, target=replace(setup.target, lr_size=(16, 16))), few)
    assert set(measured) == {REFERENCE, *RIVALS}
    assert all(measurement.reference_ms == measured[REFERENCE].reference_ms for measurement in measured.values())


@pytest.mark.parametrize(("seconds", "steps", "expected"), [(math.inf, 7, 7), (math.inf, None, 40), (0.0, None, 4)])
def test_final_recipe_has_the_steps_that_were_asked_for(
    seconds: float, steps: int | None, expected: int, plain: FidelitySchedule, outcome: Outcome
) -> None:
    trial = outcome(0, repeated(8, "branched_conv", 1))
    assert final_recipe(trial, plain, seconds, steps, planning_steps=4).steps == expected


def test_final_recipe_fills_the_time(plain: FidelitySchedule, outcome: Outcome) -> None:
    recipe = final_recipe(outcome(0, repeated(8, "branched_conv", 1)), plain, 1e6, None, planning_steps=4)
    assert recipe.steps > plain.setup.recipe.steps
    assert replace(recipe, steps=plain.setup.recipe.steps) == plain.setup.recipe


@pytest.mark.numeric
def test_chosen_network_is_trained_judged_and_shipped(
    setup: Setup, few: Protocol, finalist: Finalist, tmp_path: Path
) -> None:
    """Over the budget too, where the fastest of three passes counts."""
    own = replace(setup, budget_ms=1e-6)
    plain = fidelity_schedule("train", own, tmp_path / "candidates")
    # It goes on all validation pictures, not on the candidates' crops.
    val, recipe, folder = setup.train, replace(setup.recipe, steps=6), tmp_path / "chosen"
    chosen = _train_and_ship_once(finalist, recipe, plain, val, folder, few)
    assert {path.name for path in folder.iterdir()} == {
        "network.pth", "architecture.json", "measurement.json", "network.onnx", "network-24x16.onnx",
    }  # fmt: skip
    assert (chosen.trial, chosen.recipe) == (finalist.trial, recipe)
    network = load_network(folder / "network.pth")
    assert chosen.measurement.quality == evaluate(in_dtype(network, "float32"), val)
    assert chosen.bicubic == bicubic_quality(val)
    assert not chosen.measurement.within(1e-6)
    checkpoint = load(folder / "network.pth")
    assert checkpoint.provenance["trial"] == 3
    assert checkpoint.recipe["steps"] == 6
    kept = json.loads((folder / "measurement.json").read_text())
    assert kept.pop("bicubic")["psnr"] == chosen.bicubic.psnr
    assert Measurement.from_json(kept) == chosen.measurement


def test_training_that_diverges_starts_again_at_a_third_of_the_rate_and_then_says_so(
    few: Protocol, plain: FidelitySchedule, finalist: Finalist, tmp_path: Path
) -> None:
    wild = replace(plain.setup.recipe, learning_rate=1e38, warmup_steps=0, clip_norm=0.0, steps=60)
    recipes: list[Recipe] = []
    events: list[Event] = []
    with pytest.raises(InputError, match=r"the training failed three times: the loss is .*; try another --seed"):
        train_and_ship(
            finalist, wild, plain, plain.setup.val, tmp_path, few, on_recipe=recipes.append, report=events.append
        )
    third = [wild, replace(wild, learning_rate=1e38 / 3), replace(wild, learning_rate=1e38 / 3 / 3)]
    assert recipes == third[1:]
    said = [event.text for event in events if isinstance(event, Message)]
    assert ["again at a learning rate of" in line for line in said] == [True, True]
    assert not (tmp_path / "training.state").exists()


@pytest.mark.numeric
def test_training_from_a_supernet_starts_from_its_weights(
    setup: Setup, few: Protocol, finalist: Finalist, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    supernet = Supernet(MSRRESNET_SPACE, 8, 1).eval()
    still = replace(setup.recipe, learning_rate=0.0, minimum_learning_rate=0.0)
    warm = fidelity_schedule("train", replace(setup, recipe=still), tmp_path / "candidates", supernet)
    chosen = _train_and_ship_once(finalist, still, warm, setup.val, tmp_path / "chosen", few)
    assert chosen.measurement.within(setup.budget_ms)
    inherited = evaluate(supernet.extract(finalist.trial.architecture), setup.val)
    assert chosen.measurement.quality is not None
    # Deploying merges its convolutions, which only rounds.
    assert chosen.measurement.quality.psnr == pytest.approx(inherited.psnr, abs=1e-3)
