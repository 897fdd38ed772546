"""The end of a search: who is chosen, for how long it trains, and what is shipped."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from baselines.at_budget import Size
from nas.config.measurement_plan import MeasurementPlan
from nas.evaluate import Setup, measure_candidate
from nas.finalize import Finalist, _train_and_ship_once, final_recipe, finalist_again, finalists, train_and_ship
from nas.successive_halving import Rung
from nas.training.fidelity_schedule import FidelitySchedule, fidelity_schedule
from nas.trial import Trial
from nas.verdict import CalmSpeed
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.supernet import Supernet
from sr.checkpoint import load, load_network
from sr.deployment import in_dtype
from sr.errors import InputError
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality, bicubic_quality, evaluate
from sr.progress import Event, Message
from sr.training.recipe import Recipe

Outcome = Callable[..., Trial]
# No machine is slower: whatever it measures is a verdict, or its likelier one.
CALM = CalmSpeed(1e9)


@pytest.fixture
def plain(setup: Setup, tmp_path: Path) -> FidelitySchedule:
    return fidelity_schedule("train", setup, tmp_path)


@pytest.fixture
def finalist(outcome: Outcome) -> Finalist:
    trial = outcome(3, repeated(8, "branched_conv", 1))
    assert trial.measurement is not None
    return Finalist(trial, trial.measurement, {})


def test_best_two_by_rung_then_psnr_and_the_control_are_finalists(
    setup: Setup, plan: MeasurementPlan, outcome: Outcome
) -> None:
    trials = [outcome(number, repeated(8, "branched_conv", number + 1)) for number in range(4)]
    # The last has the best first rung, and the second alone was promoted.
    once = [replace(trial, rungs=(Rung(1, trial.psnr, 1.0),)) for trial in trials]
    promoted = replace(once[1], rungs=(*once[1].rungs, Rung(4, trials[3].psnr - 0.1, 1.0)))
    ranked = [once[0], promoted, once[2], once[3], replace(once[3], number=4, duplicate_of=3)]
    found = finalists(ranked, once[0], [], setup, CALM, plan)
    assert [each.trial.number for each in found] == [1, 3, 0]
    # Without one, or where it is one of the two.
    assert [each.trial.number for each in finalists(ranked, None, [], setup, CALM, plan)] == [1, 3]
    assert [each.trial.number for each in finalists(ranked, promoted, [], setup, CALM, plan)] == [1, 3]


def test_finalists_are_measured_in_the_same_rounds_as_their_rivals(
    setup: Setup, plan: MeasurementPlan, outcome: Outcome
) -> None:
    trials = [outcome(number, repeated(8, "branched_conv", number + 1)) for number in range(2)]
    rival = Size("ecbsr", {"num_feat": 8, "num_block": 1}, 0, 0.0)
    found = finalists(trials, None, [rival], setup, CALM, plan)
    assert len(found) == 2
    for each in found:
        assert set(each.rivals) == {"ecbsr num_feat=8 num_block=1"}
        assert each.rivals == found[0].rivals
        assert each.beside.reference_ms == found[0].beside.reference_ms == each.rivals[rival.title].reference_ms


class _Unknown(nn.Module):
    """Calls an operator that ONNX has not."""

    def forward(self, lr: Tensor) -> Tensor:
        return torch.special.bessel_j0(lr).repeat(1, 1, 4, 4)


class _Unportable(Size):
    """A rival that no file can hold."""

    def build(self) -> nn.Module:
        return _Unknown()


def test_rival_that_an_engine_cannot_run_costs_the_search_nothing(
    setup: Setup, plan: MeasurementPlan, outcome: Outcome
) -> None:
    events: list[Event] = []
    trial = outcome(0, repeated(8, "branched_conv", 1))
    in_onnx = replace(setup, target=replace(setup.target, engine="onnxruntime"))
    (found,) = finalists(
        [trial], None, [_Unportable("ecbsr", {}, 0, 0.0)], in_onnx, CalmSpeed(1e9), plan, events.append
    )
    assert found.rivals == {}
    assert isinstance(events[-1], Message)
    assert events[-1].text.startswith("no hand-designed network stands beside the chosen one: ")


def test_no_finalist_is_over_the_budget(setup: Setup, plan: MeasurementPlan, outcome: Outcome) -> None:
    trials = [outcome(number, repeated(8, "branched_conv", number + 1)) for number in range(5)]
    over = replace(setup, budget_ms=1e-6)
    assert finalists(trials, trials[0], [], over, CALM, plan) == []
    assert finalists([], None, [], setup, CALM, plan) == []


def test_next_best_are_measured_where_the_best_are_over_the_budget(
    setup: Setup, plan: MeasurementPlan, outcome: Outcome
) -> None:
    """As the best two were under load."""
    wide = [outcome(number, repeated(64, "residual_relu", 16 - number, upsampler="two_step")) for number in range(2)]
    small = outcome(2, repeated(8, "branched_conv", 1))
    trials = [*(replace(each, state="trained", measurement=with_psnr(each, 60.0)) for each in wide), small]
    slow_ms = measure_candidate(wide[1].architecture, setup, plan.candidate).runtime.p10_ms
    tight = replace(setup, budget_ms=slow_ms / 8)
    found = finalists(trials, None, [], tight, CalmSpeed(1e9), plan)
    assert [each.trial.number for each in found] == [2]


def with_psnr(trial: Trial, psnr: float) -> Measurement:
    assert trial.measurement is not None
    return replace(trial.measurement, quality=Quality(psnr, psnr + 1, None, 3))


def test_trial_that_was_chosen_before_is_measured_again(setup: Setup, plan: MeasurementPlan, outcome: Outcome) -> None:
    trials = [outcome(number, repeated(8, "branched_conv", number + 1)) for number in range(3)]
    found = finalist_again(trials, 1, [], setup, CALM, plan)
    assert found.trial == trials[1]
    assert found.beside.reference_ms is not None


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


@pytest.mark.parametrize(("kind", "given", "expected"), [
    ("symmetric_residual", 3e-3, 2e-3), ("symmetric_residual", 1e-3, 1e-3), ("wide_residual", 3e-3, 3e-3),
])  # fmt: skip
def test_symmetric_blocks_train_at_a_lower_rate(
    kind: str, given: float, expected: float, plain: FidelitySchedule, outcome: Outcome
) -> None:
    setup = replace(plain.setup, recipe=replace(plain.setup.recipe, learning_rate=given))
    recipe = final_recipe(outcome(0, repeated(8, kind, 1)), replace(plain, setup=setup), 0.0, 7, planning_steps=4)
    assert recipe.learning_rate == expected


def test_chosen_network_is_trained_judged_and_shipped(
    setup: Setup, plan: MeasurementPlan, finalist: Finalist, tmp_path: Path
) -> None:
    """Over the budget too, where the fastest of three passes counts."""
    own = replace(setup, budget_ms=1e-6)
    plain = fidelity_schedule("train", own, tmp_path / "candidates")
    # It goes on all validation pictures, not on the candidates' crops.
    val, recipe, folder = setup.train, replace(setup.recipe, steps=6), tmp_path / "chosen"
    chosen = _train_and_ship_once(finalist, recipe, plain, val, folder, CALM, plan)
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
    assert set(kept.pop("engines")) == set(chosen.engines)
    assert Measurement.from_json(kept) == chosen.measurement


def test_training_that_diverges_starts_again_at_a_third_of_the_rate_and_then_says_so(
    plan: MeasurementPlan, plain: FidelitySchedule, finalist: Finalist, tmp_path: Path
) -> None:
    wild = replace(plain.setup.recipe, learning_rate=1e38, warmup_steps=0, clip_norm=0.0, steps=60)
    recipes: list[Recipe] = []
    events: list[Event] = []
    with pytest.raises(InputError, match=r"the training failed three times: the loss is .*; try another --seed"):
        train_and_ship(
            finalist, wild, plain, plain.setup.val, tmp_path, CALM, plan, on_recipe=recipes.append, report=events.append
        )
    third = [wild, replace(wild, learning_rate=1e38 / 3), replace(wild, learning_rate=1e38 / 3 / 3)]
    assert recipes == third[1:]
    said = [event.text for event in events if isinstance(event, Message)]
    assert ["again at a learning rate of" in line for line in said] == [True, True]
    assert not (tmp_path / "training.state").exists()


def test_training_from_a_supernet_starts_from_its_weights(
    setup: Setup, plan: MeasurementPlan, finalist: Finalist, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    supernet = Supernet(MSRRESNET_SPACE, 8, 1).eval()
    still = replace(setup.recipe, learning_rate=0.0, minimum_learning_rate=0.0)
    warm = fidelity_schedule("train", replace(setup, recipe=still), tmp_path / "candidates", supernet)
    chosen = _train_and_ship_once(finalist, still, warm, setup.val, tmp_path / "chosen", CALM, plan)
    assert chosen.measurement.within(setup.budget_ms)
    inherited = evaluate(supernet.extract(finalist.trial.architecture), setup.val)
    assert chosen.measurement.quality is not None
    # Deploying merges its convolutions, which only rounds.
    assert chosen.measurement.quality.psnr == pytest.approx(inherited.psnr, abs=1e-3)
