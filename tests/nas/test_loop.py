"""When a search stops, and what it does not do twice."""

from collections.abc import Callable
from dataclasses import replace

from nas.loop import HOPELESS_TRIALS, is_hopeless, repeat_or_evaluate, trial_line, typical_seconds
from nas.schedule import Schedule
from nas.trial import Trial
from search_spaces.architecture import Block
from search_spaces.msrresnet import MSRRESNET, repeated

Outcome = Callable[..., Trial]


def test_an_equal_network_is_answered_from_the_record(outcome: Outcome) -> None:
    before = outcome(3, repeated(16, "idle", 2))
    padded = replace(before.architecture, blocks=(Block("identity"), *before.architecture.blocks))
    # The setup is not looked at: nothing is built, measured or trained.
    trial = repeat_or_evaluate(9, padded, {before.architecture.key: before}, None)  # type: ignore[arg-type]
    assert (trial.number, trial.duplicate_of, trial.measurement) == (9, 3, before.measurement)
    assert trial.architecture == padded


def test_a_budget_is_given_up_when_nothing_of_many_meets_it(outcome: Outcome) -> None:
    over = outcome(0, MSRRESNET)
    assert over.state == "infeasible"
    many = {str(index): over for index in range(HOPELESS_TRIALS)}
    assert is_hopeless(many)
    assert not is_hopeless(dict(list(many.items())[1:]))
    assert not is_hopeless(many | {"met": outcome(1, repeated(8, "idle", 1))})


def test_the_typical_length_is_that_of_trained_candidates(outcome: Outcome) -> None:
    trained = outcome(0, repeated(8, "idle", 1))
    lengths = [replace(trained, seconds=seconds) for seconds in (3.0, 9.0, 5.0)]
    assert typical_seconds([*lengths, replace(outcome(1, MSRRESNET), seconds=100.0)]) == 5.0
    assert typical_seconds([]) == 0.0


def test_a_trial_is_one_line(outcome: Outcome) -> None:
    trained, over = outcome(0, repeated(8, "idle", 1)), replace(outcome(1, MSRRESNET), reason="is over the budget")
    line = trial_line(trained, [trained, over], Schedule(600.0, None))
    assert "\n" not in line
    assert f"trial 0: {trained.psnr:.2f} dB" in line
    assert "left to search" in line
    assert "infeasible: is over the budget" in trial_line(over, [trained, over], Schedule(float("inf"), 2))
