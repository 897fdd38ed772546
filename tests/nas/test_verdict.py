"""Verdicts on runtimes: at calm speed only, whatever else the device does meanwhile."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.trial import Trial
from nas.verdict import (
    Verdict,
    calm_speed,
    describe_kept,
    keeps_to,
    rough_verdict_on,
    verdict_on,
)
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import repeated
from sr.measure.calm_speed import CalmSpeed
from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.target import Conditions

Outcome = Callable[[int, Architecture], Trial]
BUDGET_MS = 40.0
CALM = CalmSpeed(reference_ms=10.0, p90_factor=1.1)
PLACE = Conditions("device", "driver", "versions", 2, (64, 64), "float32")
COUNTED = Complexity(params=1, multi_adds=1, challenge_flops=1, activations=1, convs=1, memory=1)


def measured(
    p10: float,
    median: float,
    p90: float,
    reference: float | None = 10.0,
    *,
    reliable: bool = True,
    disturbed: bool = False,
) -> Measurement:
    runtime = Runtime(median, p10, p90, 20, reliable and not disturbed, "contiguous", disturbed=disturbed)
    return Measurement(COUNTED, runtime, PLACE, reference)


@pytest.mark.parametrize(
    ("measurement", "verdict", "rough"),
    [
        # Calm: nine runs of ten, at the reference's own speed.
        (measured(35, 37, 40), "within", "over"),
        (measured(35, 37, 40.1), "over", "over"),
        (measured(30, 35, 39), "within", "within"),
        # A tail longer than that of other networks is of what disturbed it.
        (measured(35, 36, 43), "within", "within"),
        (measured(37, 39, 43, reference=10.8), "within", "within"),
        (measured(35, 37, 39, reference=9.0), "within", "over"),
        (measured(35, 37, 39, reference=None), "within", "over"),
        # Without calm what keeps to the budget all the same does so when it is calm,
        (measured(35, 37, 40, reference=11.5), "within", "within"),
        (measured(35, 37, 40, reliable=False), "within", "over"),
        (measured(20, 30, 39, reference=30.0, disturbed=True), "within", "within"),
        # and what is over it where nothing else is at work, as much faster as the reference is then.
        (measured(80, 85, 90, reference=20.0), "over", "over"),
        (measured(80, 83, 90, reference=20.0), "put off", "over"),
        (measured(80, 85, 90, reference=20.0, disturbed=True), "put off", "over"),
        # Other figures say nothing,
        (measured(35, 37, 40.1, reference=11.5), "put off", "within"),
        (measured(70, 74, 90, reference=20.0), "put off", "over"),
        (measured(20, 60, 300, reliable=False), "put off", "over"),
        (measured(45, 48, 50, reliable=False), "put off", "over"),
        # but where even the fastest runs are far over the budget.
        (measured(51, 60, 80, reliable=False), "over", "over"),
        (measured(241, 260, 280, reference=20.0, disturbed=True), "over", "over"),
        (measured(239, 260, 280, reference=20.0, disturbed=True), "put off", "over"),
        # Two threads that wait for each other lose more than the reference beside them.
        (measured(66, 70, 80, disturbed=True), "put off", "over"),
        (measured(121, 125, 130, disturbed=True), "over", "over"),
        (measured(900, 900, 900, reliable=False), "over", "over"),
    ],
)
def test_verdict_is_that_at_calm_speed_or_put_off(measurement: Measurement, verdict: Verdict, rough: Verdict) -> None:
    assert verdict_on(measurement, CALM, BUDGET_MS) == verdict
    assert rough_verdict_on(CALM.calm_ms(measurement), CALM, BUDGET_MS) == rough


def test_few_runs_say_nothing_of_nine_in_ten() -> None:
    few = measured(30, 35, 39, reliable=False)
    assert verdict_on(replace(few, runtime=replace(few.runtime, runs=3)), CALM, BUDGET_MS) == "put off"


MS = st.floats(1.0, 200.0)


@given(st.tuples(MS, MS, MS), st.floats(1.0, 1.1), st.floats(1.0, 50.0), st.booleans())
def test_load_on_candidate_and_reference_alike_never_turns_a_verdict(
    runs: tuple[float, float, float], before: float, load: float, reliable: bool
) -> None:
    """It may only put it off."""
    p10, median, p90 = sorted(runs)

    def under(factor: float, steady: bool) -> Verdict:
        loaded = measured(*(factor * ms for ms in (p10, median, p90)), 10.0 * factor, reliable=steady)
        return verdict_on(loaded, CALM, BUDGET_MS)

    alone, loaded = under(before, True), under(before * load, reliable)
    # Rounding apart, where a run is just at the budget.
    if all(abs(ms / BUDGET_MS - share) > 1e-9 for ms, share in ((p90, 1), (median, 1.05), (p10, 1.25), (p10, 3))):
        assert loaded in (alone, "put off")


@given(st.floats(1.0, 50.0), st.floats(3.01, 100.0), st.booleans())
def test_fastest_runs_far_over_the_budget_are_over_under_any_load(load: float, over: float, reliable: bool) -> None:
    fastest = load * over * BUDGET_MS
    slow = measured(fastest, 1.2 * fastest, 3 * fastest, load * 10.0, reliable=reliable)
    assert verdict_on(slow, CALM, BUDGET_MS) == "over"


@given(st.tuples(MS, MS, MS), st.floats(1.0, 50.0))
def test_rough_verdict_and_calm_runtime_do_not_hang_on_the_load(runs: tuple[float, float, float], load: float) -> None:
    p10, median, p90 = sorted(runs)
    alone = measured(p10, median, p90)
    loaded = measured(load * p10, load * median, load * p90, load * 10.0)
    assert CALM.calm_ms(loaded) == pytest.approx(CALM.calm_ms(alone))
    if abs(1.1 * median / BUDGET_MS - 1) > 1e-9:
        both = [rough_verdict_on(CALM.calm_ms(each), CALM, BUDGET_MS) for each in (loaded, alone)]
        assert both[0] == both[1]


def with_reference(trial: Trial, ms: float | None, spread: float = 1.1, *, reliable: bool = True) -> Trial:
    assert trial.measurement is not None
    runtime = replace(trial.measurement.runtime, p90_ms=spread * trial.measurement.runtime.median_ms, reliable=reliable)
    return replace(trial, measurement=replace(trial.measurement, reference_ms=ms, runtime=runtime))


def test_calm_speed_is_the_lower_quartile_of_the_references_or_what_was_known(outcome: Outcome) -> None:
    one = outcome(0, repeated(8, "branched_conv", 1))
    trials = [with_reference(one, ms) for ms in (11.0, 10.0, 12.0, 30.0, 9.0)]
    assert calm_speed(trials).reference_ms == 10.0
    assert calm_speed(trials, known_ms=8.0).reference_ms == 8.0
    assert calm_speed(trials, known_ms=20.0).reference_ms == 10.0
    # What was answered from the record was not measured again.
    copies = [replace(trials[3], duplicate_of=3)] * 9
    assert calm_speed([*trials, *copies]).reference_ms == 10.0
    assert calm_speed([], trials[0].measurement).reference_ms == 11.0
    assert calm_speed([with_reference(one, None)], known_ms=7.0).reference_ms == 7.0


def test_spread_of_a_calm_device_is_that_of_reliable_runtimes(outcome: Outcome) -> None:
    one = outcome(0, repeated(8, "branched_conv", 1))
    trials = [with_reference(one, 10.0, 1.04), with_reference(one, 10.0, 1.06), with_reference(one, 10.0, 1.2)]
    busy = with_reference(one, 10.0, 3.0, reliable=False)
    assert calm_speed([*trials, busy, busy]).p90_factor == pytest.approx(1.06)
    assert calm_speed([busy]).p90_factor == 1.0


def test_speed_that_nothing_tells_is_an_error() -> None:
    failed = Trial(0, repeated(8, "branched_conv", 1), "failed", None, "no memory")
    with pytest.raises(ValueError, match="takes a measured reference network"):
        calm_speed([failed])


@pytest.mark.parametrize(
    ("p90", "calm_p90", "keeps", "words"),
    [
        (39.0, None, True, "within the budget of 40 ms"),
        (39.0, 38.0, True, "within the budget of 40 ms"),
        (41.0, None, False, "OVER the budget of 40 ms"),
        (41.0, math.inf, False, "OVER the budget of 40 ms"),
        (46.9, 38.2, True, "over the budget of 40 ms on a device that was never calm, and within it at its calm speed "
                           "(p90 38.2)"),
        (46.9, 41.0, False, "OVER the budget of 40 ms, also at the device's calm speed (p90 41.0)"),
    ],
)  # fmt: skip
def test_shipped_network_keeps_to_the_budget_as_taken_or_at_calm_speed_where_it_never_was(
    p90: float, calm_p90: float | None, keeps: bool, words: str
) -> None:
    taken = measured(30, 35, p90)
    assert keeps_to(taken, calm_p90, BUDGET_MS) is keeps
    assert describe_kept(taken, calm_p90, BUDGET_MS) == words
