"""The record of one candidate."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from nas.successive_halving import Rung
from nas.trial import Trial, front_of, promoted_trials, trained_once
from search_spaces.msrresnet import MSRRESNET, repeated


def test_trial_comes_back_from_json_as_it_was(outcome: Callable[..., Trial]) -> None:
    for trial in (
        outcome(3, repeated(16, "idle", 2)),
        replace(outcome(4, MSRRESNET), reason="over the budget"),
        Trial(5, MSRRESNET, "failed", None, "the loss is nan before step 20", 1.5),
        replace(outcome(6, repeated(16, "idle", 2)), duplicate_of=3),
        replace(outcome(7, repeated(16, "idle", 2)), state="put off", calm_ms=3.5),
    ):
        assert Trial.from_json(json.loads(json.dumps(trial.to_json()))) == trial


def test_front_holds_trained_networks_once_and_none_that_is_dominated(outcome: Callable[..., Trial]) -> None:
    small, large = outcome(0, repeated(8, "branched_conv", 1)), outcome(1, repeated(16, "branched_conv", 4))
    worse = replace(large, number=2, measurement=replace(small.measurement, runtime=large.measurement.runtime))
    copied = replace(large, number=3, duplicate_of=1)
    over = outcome(4, MSRRESNET)
    assert over.state == "infeasible"
    assert [trial.number for trial in front_of([small, large, worse, copied, over])] == [1, 0]
    assert [trial.number for trial in trained_once([small, copied, over])] == [0]


def test_promoted_candidate_sorts_higher_whatever_its_psnr(outcome: Callable[..., Trial]) -> None:
    once = outcome(0, repeated(16, "branched_conv", 4))
    first, second = Rung(10, 24.0, 1.0), Rung(40, 26.0, 2.0)
    low, high = replace(once, rungs=(first,)), replace(once, rungs=(first, second))
    better = replace(once, rungs=(replace(first, psnr=30.0),))
    assert sorted([high, better, low, once], key=lambda trial: trial.sort_key) == [once, low, better, high]
    assert Trial.from_json(json.loads(json.dumps(high.to_json()))) == high
    # What is compared among all is the first rung, whoever was promoted.
    assert high.objectives == once.objectives


def test_runtime_is_that_at_calm_speed_where_it_was_judged(outcome: Callable[..., Trial]) -> None:
    raw = outcome(0, repeated(8, "branched_conv", 1))
    assert raw.measurement is not None
    measured = raw.measurement.runtime
    assert (raw.runtime_ms, raw.p90_ms) == (measured.median_ms, measured.p90_ms)
    calm = replace(raw, calm_ms=measured.median_ms / 2)
    assert (calm.runtime_ms, calm.p90_ms) == pytest.approx((measured.median_ms / 2, measured.p90_ms / 2))
    assert calm.objectives[1] == calm.runtime_ms
    # The spread lies around the median of the same speed.
    assert calm.p90_ms / calm.runtime_ms == pytest.approx(raw.p90_ms / raw.runtime_ms)


def test_record_without_rungs_has_none(outcome: Callable[..., Trial]) -> None:
    values = outcome(0, repeated(16, "idle", 2)).to_json()
    del values["rungs"]
    assert Trial.from_json(values).rungs == ()


def test_the_first_promoted_is_the_one_that_promises_most(outcome: Callable[..., Trial]) -> None:
    trials = [outcome(number, repeated(8, "idle", 1 + number)) for number in range(3)]
    assert not promoted_trials(trials)
    for number, psnr in ((0, 25.0), (2, 25.5)):
        trials[number] = replace(trials[number], rungs=(Rung(100, 24.0, 1.0), Rung(400, psnr, 1.0)))
    assert [each.number for each in promoted_trials(trials)] == [2, 0]
