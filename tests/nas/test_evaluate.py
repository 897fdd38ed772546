"""One candidate: its cost first, its training only within the budget, its failures as outcomes."""

from dataclasses import replace

import pytest
import torch

from nas.evaluate import Setup, evaluate_candidate, measure_cost
from search_spaces.msrresnet import MSRRESNET, REFERENCE_NETWORK, repeated
from search_spaces.network import build
from sr.complexity import count
from sr.data import load_pairs
from sr.recipe import Recipe

SMALL = repeated(8, "branched_conv", 1)


@pytest.fixture(scope="module")
def setup() -> Setup:
    val = load_pairs(None, "val", report=print)
    return Setup(
        budget_ms=60_000.0,
        device=torch.device("cpu"),
        lr_size=(16, 24),
        dtype="float32",
        recipe=Recipe(steps=4, batch=2, patch=8, precision="float32", memory_format="contiguous"),
        train=load_pairs(None, "train", report=print),
        val=val.centre_crops(24, 2),
        reference=REFERENCE_NETWORK,
    )


def test_within_the_budget_it_is_trained_and_judged(setup: Setup) -> None:
    trial = evaluate_candidate(5, SMALL, setup)
    assert trial.state == "trained"
    assert trial.number == 5
    assert trial.measurement is not None
    assert trial.measurement.quality is not None
    assert trial.measurement.quality.pictures == 2
    assert trial.measurement.conditions.lr_size == (16, 24)
    assert trial.measurement.reference_ms > 0
    assert trial.seconds > 0


def test_the_same_candidate_trains_to_the_same_psnr(setup: Setup) -> None:
    assert evaluate_candidate(0, SMALL, setup).psnr == evaluate_candidate(1, SMALL, setup).psnr


def test_over_the_budget_it_is_never_trained(setup: Setup) -> None:
    trial = evaluate_candidate(0, MSRRESNET, replace(setup, budget_ms=1e-3))
    assert trial.state == "infeasible"
    assert trial.measurement is not None
    assert trial.measurement.quality is None
    assert "is over the budget of 0.001 ms" in trial.reason
    assert trial.measurement.complexity.params == 1_517_571


def test_a_training_that_diverges_is_a_failed_trial(setup: Setup) -> None:
    wild = replace(setup, recipe=replace(setup.recipe, learning_rate=1e30, warmup_steps=0, clip_norm=0.0, steps=40))
    trial = evaluate_candidate(0, SMALL, wild)
    assert trial.state == "failed"
    assert "the loss is" in trial.reason
    assert trial.measurement is not None


def test_quality_is_judged_in_the_dtype_that_is_timed(setup: Setup) -> None:
    half = evaluate_candidate(0, SMALL, replace(setup, dtype="bfloat16"))
    assert half.measurement is not None
    assert half.measurement.conditions.dtype == "bfloat16"
    assert half.psnr != evaluate_candidate(0, SMALL, setup).psnr


def test_cost_is_counted_for_the_stated_size(setup: Setup) -> None:
    measured = measure_cost(SMALL, count(build(SMALL), setup.lr_size), setup)
    assert measured.complexity.activations == 16 * 24 * (8 + 8 + 48)
    assert measured.quality is None


def test_what_the_memory_cannot_hold_is_not_even_measured(setup: Setup) -> None:
    trial = evaluate_candidate(0, MSRRESNET, replace(setup, lr_size=(200_000, 200_000)))
    assert trial.state == "failed"
    assert trial.measurement is None
    assert "more than the device has left" in trial.reason
