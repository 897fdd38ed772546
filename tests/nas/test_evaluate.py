"""What one candidate costs: counted first, then measured, and what cannot be measured is an outcome."""

from dataclasses import replace

from nas.evaluate import Setup, cost_candidate, measure_candidate
from search_spaces.msrresnet import MSRRESNET, REFERENCE_NETWORK, repeated
from sr.measure.latency import Protocol

SMALL = repeated(8, "branched_conv", 1)


def test_candidate_within_the_budget_is_measured_and_not_yet_judged(setup: Setup, few: Protocol) -> None:
    trial = cost_candidate(5, SMALL, setup, few)
    assert (trial.number, trial.state, trial.rungs) == (5, "measured", ())
    assert trial.measurement is not None
    assert trial.measurement.quality is None
    assert trial.measurement.conditions.lr_size == (16, 24)
    assert trial.measurement.reference_ms > 0
    assert trial.seconds > 0


def test_reference_of_another_scale_is_the_same_network_and_its_like_trains(setup_at_x2: Setup, few: Protocol) -> None:
    assert (setup_at_x2.scale, setup_at_x2.reference) == (2, REFERENCE_NETWORK)
    assert setup_at_x2.trainable_reference == replace(REFERENCE_NETWORK, scale=2)
    measured = measure_candidate(replace(SMALL, scale=2), setup_at_x2, few)
    assert measured.reference_ms is not None
    assert measured.complexity.activations == 16 * 24 * (8 + 8 + 12)


def test_candidate_over_the_budget_is_measured_too_since_the_verdict_is_the_loop_s(setup: Setup, few: Protocol) -> None:
    trial = cost_candidate(0, MSRRESNET, replace(setup, budget_ms=1e-3), few)
    assert (trial.state, trial.reason) == ("measured", "")
    assert trial.measurement is not None
    assert trial.measurement.quality is None
    assert trial.measurement.complexity.params == 1_517_571


def test_candidate_is_timed_in_the_dtype_of_the_target(setup: Setup, few: Protocol) -> None:
    half = cost_candidate(0, SMALL, replace(setup, target=replace(setup.target, dtype="bfloat16")), few)
    assert half.measurement is not None
    assert half.measurement.conditions.dtype == "bfloat16"


def test_activations_are_counted_at_the_target_s_lr_size(setup: Setup, few: Protocol) -> None:
    measured = measure_candidate(SMALL, setup, few)
    assert measured.complexity.activations == 16 * 24 * (8 + 8 + 48)
    assert measured.quality is None


def test_candidate_that_the_memory_cannot_hold_is_not_even_measured(setup: Setup, few: Protocol) -> None:
    trial = cost_candidate(0, MSRRESNET, replace(setup, target=replace(setup.target, lr_size=(200_000, 200_000))), few)
    assert trial.state == "failed"
    assert trial.measurement is None
    assert "more than the device has left" in trial.reason


def test_operator_that_the_engine_lacks_fails_the_candidate_with_that_reason(setup: Setup, few: Protocol) -> None:
    lacking = replace(setup, target=replace(setup.target, dtype="bfloat16", engine="onnxruntime"))
    trial = cost_candidate(0, lacking.reference, lacking, few)
    assert trial.state == "failed"
    assert "--dtype bfloat16" in trial.reason
