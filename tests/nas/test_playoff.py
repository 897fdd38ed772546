"""Finalists trained on side by side: to equal steps, on what they have, within their time."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nas.evaluate import Setup
from nas.playoff import _FEWEST_STEPS, Playoff, best_control, play_off
from nas.successive_halving import Rung
from nas.training.executor import executor
from nas.training.fidelity_schedule import FidelitySchedule, fidelity_schedule
from nas.training.worker_state import WorkerState
from nas.trial import Trial
from search_spaces.msrresnet import MSRRESNET, repeated
from sr.checkpoint import load
from sr.progress import Event, Message

Outcome = Callable[..., Trial]


@pytest.fixture
def rungs(setup: Setup, tmp_path: Path) -> FidelitySchedule:
    """Rungs at 1, 4 and 16 steps."""
    return fidelity_schedule("rungs", replace(setup, recipe=replace(setup.recipe, steps=16)), tmp_path)


def trained(outcome: Outcome, number: int, rungs: int = 3, seconds_per_step: float = 1.0) -> Trial:
    """Return a trial on a rung; each network has as many blocks as its number and one more."""
    trial, steps = outcome(number, repeated(8, "branched_conv", number + 1)), (1, 4, 16)
    more = [after - before for before, after in zip((0, *steps), steps, strict=False)]
    return replace(
        trial,
        rungs=tuple(
            Rung(done, trial.psnr, seconds_per_step * own) for done, own in list(zip(steps, more, strict=True))[:rungs]
        ),
    )


def play(
    fidelity: FidelitySchedule,
    finalists: list[Trial],
    control: Trial | None,
    seconds: float,
    events: list[Event] | None = None,
) -> Playoff | None:
    said = [] if events is None else events
    with executor(1, fidelity.setup) as one_by_one:
        return play_off(finalists, control, fidelity, one_by_one, seconds, lambda _rungs: 400.0, report=said.append)


def test_all_train_to_equal_steps_that_fill_the_time(rungs: FidelitySchedule, outcome: Outcome) -> None:
    best, control, events = trained(outcome, 1), trained(outcome, 0, rungs=1), list[Event]()
    # 100 seconds at one a step: both come from 16 and 1 steps to (100 + 17) / 2.
    found = play(rungs, [best], control, 100.0, events)
    assert found is not None
    assert (found.steps, found.control, set(found.psnr)) == (58, 0, {0, 1})
    assert all(math.isfinite(psnr) for psnr in (*found.psnr.values(), *found.psnr_y.values()))
    gain = found.gain
    assert gain is not None
    assert gain[0] == found.psnr[found.winner] - found.psnr[0]
    assert found.expected_gain == found.expected[found.winner] - found.expected[0] >= 0
    said = [event.text for event in events if isinstance(event, Message)]
    assert [line for line in said if line.startswith("finalist trial 0 (there before the search): ")]
    assert said[0].endswith(f"after 58 steps, {found.expected[1]:.2f} dB expected by the long training")
    # Once more in the same time nothing is trained twice.
    assert play(rungs, [best], control, 100.0) == found
    # After a kill less of it is left.
    shorter = play(rungs, [best], control, 90.0)
    assert shorter is not None
    assert shorter.steps == 56


def test_finalists_train_on_from_the_rung_that_they_are_on(rungs: FidelitySchedule, outcome: Outcome) -> None:
    """And leave its weights as they are."""
    pair = [trained(outcome, 0, rungs=2), trained(outcome, 1, rungs=2)]
    with executor(1, rungs.setup) as one_by_one:
        for trial in pair:
            assert one_by_one.submit(WorkerState.train, rungs.task(trial.architecture, 1)).result().quality is not None
    before = {path.name: path.read_bytes() for path in rungs.folder.glob("*.pth")}
    assert len(before) == 2
    found = play(rungs, pair, None, 120.0)
    assert found is not None
    assert {path.name: path.read_bytes() for path in rungs.folder.glob("*.pth")} == before
    kept = load(rungs.folder / f"playoff-{found.steps}" / next(iter(before)))
    assert kept.provenance["ladder"] == [1, 4, 16, found.steps]


def test_control_among_the_finalists_stands_once(rungs: FidelitySchedule, outcome: Outcome) -> None:
    first, second = trained(outcome, 1), trained(outcome, 0)
    found = play(rungs, [first, second], second, 100.0)
    assert found is not None
    assert (found.control, set(found.psnr), found.steps) == (0, {0, 1}, 66)


def test_one_alone_plays_against_nobody(rungs: FidelitySchedule, outcome: Outcome) -> None:
    best = trained(outcome, 1)
    assert play(rungs, [best], None, 100.0) is None
    assert play(rungs, [best], best, 100.0) is None
    assert not list(rungs.folder.glob("*"))


def test_too_little_time_tells_nothing(rungs: FidelitySchedule, outcome: Outcome) -> None:
    # Forty steps more of both, in half of the time at least.
    assert 2 * _FEWEST_STEPS == 80
    pair = [trained(outcome, 0), trained(outcome, 1)]
    assert play(rungs, pair, None, 39.0) is None
    found = play(rungs, pair, None, 41.0)
    assert found is not None
    assert found.steps == 16 + _FEWEST_STEPS


def test_control_that_has_too_far_to_catch_up_takes_no_part(rungs: FidelitySchedule, outcome: Outcome) -> None:
    slow = trained(outcome, 2, rungs=1, seconds_per_step=50.0)
    found = play(rungs, [trained(outcome, 0), trained(outcome, 1)], slow, 100.0)
    assert found is not None
    assert (found.control, found.gain, set(found.psnr)) == (None, None, {0, 1})


def test_network_that_was_scored_and_never_trained_has_no_pace(rungs: FidelitySchedule, outcome: Outcome) -> None:
    scored = replace(trained(outcome, 0), rungs=(Rung(0, 20.0, 0.0),))
    assert play(rungs, [scored, trained(outcome, 1)], None, 100.0) is None


def test_winner_promises_most_and_of_equals_is_the_first() -> None:
    playoff = Playoff(100, {3: 26.0, 5: 27.0, 7: 25.0}, {3: 27.0, 5: 28.5, 7: 26.0}, {3: 26.5, 5: 27.25, 7: 27.0}, 3)
    assert (playoff.winner, playoff.gain, playoff.expected_gain) == (5, (1.0, 1.5), 0.75)
    assert replace(playoff, control=None).gain is None
    assert replace(playoff, control=5).gain == (0.0, 0.0)
    # What learns slowly may be behind after equal steps.
    assert replace(playoff, expected={3: 26.5, 5: 27.25, 7: 27.5}).gain == (-1.0, -1.0)
    assert replace(playoff, expected={7: 26.0, 3: 26.0}).winner == 3
    assert Playoff.from_json(json.loads(json.dumps(playoff.to_json()))) == playoff


def test_record_of_an_earlier_version_expects_of_each_what_it_had() -> None:
    kept = {"steps": 9, "control": 1, "psnr": {"1": 26.0, "2": 25.0}, "psnr_y": {"1": 27.0, "2": 28.0}}
    assert Playoff.from_json(kept).winner == 1


def test_best_control_is_the_best_trained_of_those_that_were_there(outcome: Outcome) -> None:
    trials = [trained(outcome, number) for number in range(4)]
    keys = {trial.architecture.key for trial in trials[:3]}
    low = replace(trials[2], rungs=trials[2].rungs[:1])
    over = replace(outcome(9, MSRRESNET), state="infeasible")
    copy = replace(trials[2], number=8, duplicate_of=2)
    assert best_control([*trials[:2], low, trials[3], over, copy], keys | {MSRRESNET.key}) == trials[1]
    assert best_control(trials, {over.architecture.key}) is None
    assert best_control([], keys) is None
