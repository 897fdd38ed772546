"""What one candidate costs: counted first, then measured, and what cannot be measured is an outcome."""

from dataclasses import replace

from nas.evaluate import Setup, cost_candidate, measure_cost
from search_spaces.msrresnet import MSRRESNET, repeated
from search_spaces.network import build
from sr.complexity import count

SMALL = repeated(8, "branched_conv", 1)


def test_within_the_budget_it_is_measured_and_not_yet_judged(setup: Setup) -> None:
    trial = cost_candidate(5, SMALL, setup)
    assert (trial.number, trial.state, trial.rungs) == (5, "measured", ())
    assert trial.measurement is not None
    assert trial.measurement.quality is None
    assert trial.measurement.conditions.lr_size == (16, 24)
    assert trial.measurement.reference_ms > 0
    assert trial.seconds > 0


def test_over_the_budget_it_is_infeasible_and_says_by_how_much(setup: Setup) -> None:
    trial = cost_candidate(0, MSRRESNET, replace(setup, budget_ms=1e-3))
    assert trial.state == "infeasible"
    assert trial.measurement is not None
    assert trial.measurement.quality is None
    assert "is over the budget of 0.001 ms" in trial.reason
    assert trial.measurement.complexity.params == 1_517_571


def test_it_is_timed_in_the_dtype_of_the_budget(setup: Setup) -> None:
    half = cost_candidate(0, SMALL, replace(setup, dtype="bfloat16"))
    assert half.measurement is not None
    assert half.measurement.conditions.dtype == "bfloat16"


def test_cost_is_counted_for_the_stated_size(setup: Setup) -> None:
    measured = measure_cost(SMALL, count(build(SMALL), setup.lr_size), setup)
    assert measured.complexity.activations == 16 * 24 * (8 + 8 + 48)
    assert measured.quality is None


def test_what_the_memory_cannot_hold_is_not_even_measured(setup: Setup) -> None:
    trial = cost_candidate(0, MSRRESNET, replace(setup, lr_size=(200_000, 200_000)))
    assert trial.state == "failed"
    assert trial.measurement is None
    assert "more than the device has left" in trial.reason
