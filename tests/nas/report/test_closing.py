"""The closing lines of a search."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nas.evaluate import Setup
from nas.finalize import Chosen, Finalist
from nas.playoff import Playoff
from nas.report.closing import closing_lines, nothing_within
from nas.successive_halving import Rung
from nas.training.fidelity_schedule import fidelity_schedule
from nas.trial import Trial
from search_spaces.msrresnet import MSRRESNET, repeated
from sr.measure.quality import Quality

Outcome = Callable[..., Trial]


@pytest.fixture
def chosen(setup: Setup, outcome: Outcome) -> Chosen:
    trial, rival = outcome(0, repeated(8, "idle", 1)), outcome(9, MSRRESNET)
    assert trial.measurement is not None
    assert rival.measurement is not None
    finalist = Finalist(trial, trial.measurement, {"msrresnet": rival.measurement})
    return Chosen(
        finalist, setup.recipe, trial.measurement, Quality(24.0, 25.0, None, 3), {"torch": trial.measurement.runtime}
    )


def promoted(trial: Trial, *psnr: float) -> Trial:
    return replace(trial, rungs=tuple(Rung(4**index, value, 1.0) for index, value in enumerate(psnr)))


def test_tally_counts_each_network_once(setup: Setup, tmp_path: Path, outcome: Outcome, chosen: Chosen) -> None:
    first, over = outcome(0, repeated(8, "idle", 1)), outcome(2, MSRRESNET)
    trials = [first, replace(first, number=1, duplicate_of=0), over]
    closing = "\n".join(closing_lines(trials, chosen, fidelity_schedule("train", setup, tmp_path), []))
    assert "2 tried, 1 trained, 1 over the budget and never trained, 0 failed; 1 repeated" in closing
    trials.append(replace(over, number=3, state="put off"))
    closing = "\n".join(closing_lines(trials, chosen, fidelity_schedule("train", setup, tmp_path), []))
    assert "3 tried, 1 trained, 1 over the budget and never trained, 0 failed, 1 put off and never settled;" in closing


def test_tally_counts_who_went_on_to_each_rung(setup: Setup, tmp_path: Path, outcome: Outcome, chosen: Chosen) -> None:
    rungs = fidelity_schedule("rungs", replace(setup, recipe=replace(setup.recipe, steps=64)), tmp_path)
    trials = [
        promoted(outcome(number, repeated(8, "idle", number + 1)), *psnr)
        for number, psnr in enumerate(((25.0,), (25.0, 26.0), (25.0, 26.0, 27.0)))
    ]
    closing = "\n".join(closing_lines(trials, chosen, rungs, []))
    assert "3 trained, 2 went on to 16 steps, 1 went on to 64 steps, 0 over" in closing
    assert "after the same 4 steps" in closing
    closing = "\n".join(closing_lines(trials, chosen, fidelity_schedule("supernet", setup, tmp_path), []))
    assert "3 scored, 2 went on to 4 steps, 0 over" in closing
    assert "with the weights that it inherits from the supernet" in closing


def test_closing_lines_name_choice_runtime_quality_rivals_and_predictions(
    setup: Setup, tmp_path: Path, chosen: Chosen
) -> None:
    plain = fidelity_schedule("train", setup, tmp_path)
    lines = closing_lines([chosen.trial], chosen, plain, ["The runtime was predicted."])
    assert chosen.measurement.quality is not None
    gain = chosen.measurement.quality.psnr - 24.0
    assert lines[0].startswith("Chosen: trial 0, 8ch ")
    assert "within the budget of 60000 ms" in lines[1]
    assert f"{gain:+.2f} against bicubic's 24.00" in lines[2]
    assert lines[3].startswith("The same network in every engine here: torch ")
    assert lines[4].startswith("Hand-designed networks of this budget, in the same rounds: chosen ")
    assert "msrresnet " in lines[4]
    assert "The runtime was predicted." in lines
    slow = replace(setup, budget_ms=1e-6)
    over = closing_lines([chosen.trial], chosen, fidelity_schedule("train", slow, tmp_path), [])
    assert "OVER the budget of 1e-06 ms" in over[1]
    alone = replace(chosen, finalist=replace(chosen.finalist, rivals={}))
    assert "No hand-designed family has a network within the budget." in closing_lines([], alone, plain, [])


def test_rivals_that_were_trained_alike_have_their_psnr_on_rgb_and_y(
    setup: Setup, tmp_path: Path, chosen: Chosen
) -> None:
    trained = replace(chosen, rival_quality={"msrresnet": Quality(23.5, 24.75, None, 3)})
    lines = closing_lines([chosen.trial], trained, fidelity_schedule("train", setup, tmp_path), [])
    (said,) = (line for line in lines if line.startswith("Hand-designed networks of this budget"))
    assert "trained alike where a PSNR stands" in said
    assert "ms, 23.50 dB (Y 24.75)" in said


def test_gain_over_the_best_seed_is_said_also_when_it_is_nothing(
    setup: Setup, tmp_path: Path, outcome: Outcome, chosen: Chosen
) -> None:
    trials = [chosen.trial, outcome(1, repeated(8, "idle", 2))]
    plain = fidelity_schedule("train", setup, tmp_path)

    def gain(control: int | None) -> list[str]:
        playoff = Playoff(1200, {0: 26.0, 1: 25.75}, {0: 27.5, 1: 27.0}, {0: 26.5, 1: 26.0}, control)
        lines = closing_lines(trials, replace(chosen, playoff=playoff), plain, [])
        return [line for line in lines if line.startswith("Searching gained")]

    (found,) = gain(control=1)
    assert found.startswith("Searching gained +0.25 dB (Y +0.50) over the best architecture")
    assert "trial 1 (8ch 2x idle, one_step, nearest skip), after the same 1,200 steps" in found
    assert "was expected to gain +0.50 dB by the end of the long training" in found
    (nothing,) = gain(control=0)
    assert nothing.startswith("Searching gained nothing: of those that were trained on side by side trial 0, one of")
    assert gain(control=None) == []


def test_runtime_that_was_never_taken_when_calm_says_so(setup: Setup, tmp_path: Path, chosen: Chosen) -> None:
    plain = fidelity_schedule("train", setup, tmp_path)
    assert "never calm" not in closing_lines([chosen.trial], chosen, plain, [])[1]
    assert "never calm" in closing_lines([chosen.trial], replace(chosen, calm_p90_ms=12.5), plain, [])[1]


def test_where_nothing_is_within_the_fastest_is_named(outcome: Outcome) -> None:
    trials = [outcome(number, repeated(8, "idle", 3 - number)) for number in range(3)]
    said = nothing_within(trials, 1e-3)
    assert said.startswith("nothing meets the budget of 0.001 ms: the fastest of 3 candidates, trial 2 (8ch 1x idle")
    failed = Trial(0, MSRRESNET, "failed", None, "no memory")
    assert nothing_within([], 5.0, 90.0).startswith("the time limit of 1 m 30 s ended before the first candidate; give")
    assert nothing_within([failed], 5.0) == "nothing meets the budget of 5 ms: no candidate could be measured"
