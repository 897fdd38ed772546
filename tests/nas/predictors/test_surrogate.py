"""What a search expects: from nothing at first, and from what it measured then."""

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from nas.predictors.latency import LatencyPredictor
from nas.predictors.surrogate import Surrogate
from nas.successive_halving import Candidate, Ladder, Rung
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.fast_counts import counts
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from sr.measure.latency_model import LatencyModel
from sr.rank_correlation import kendall_tau

Outcome = Callable[..., Trial]
SIZE = (16, 16)
STEPS = Ladder((4, 16, 64))
ENDLESS_MS = 1e9
# A device whose convolutions alone take time, as an earlier search knew it.
MODEL = LatencyModel(1, (40.0, 40.0, 40.0, *[0.0] * 7), networks=1)
DEVICE = LatencyPredictor(SIZE, MODEL, MODEL)


# Four of five are to keep to the budget: the 80th percentile of a normal error over the median of its size.
FOUR_OF_FIVE = 1.25


def drawn(count: int) -> list[Architecture]:
    rng = random.Random(5)
    found = {one.key: one for one in (MSRRESNET_SPACE.decode(MSRRESNET_SPACE.sample(rng)) for _ in range(3 * count))}
    return list(found.values())[:count]


def likely(share: float, network: Architecture, error: float = 0.25) -> float:
    """Return the budget of which a network is likely to take a share, as DEVICE predicts it."""
    return (1 + FOUR_OF_FIVE * error) * DEVICE.predict(network) / share


def surrogate_of(budget_ms: float = ENDLESS_MS, latency: LatencyPredictor | None = None, **more: Any) -> Surrogate:
    return Surrogate(DEVICE if latency is None else latency, budget_ms, SIZE, STEPS, **more)


def timed(trial: Trial, ms: float) -> Trial:
    assert trial.measurement is not None
    runtime = replace(trial.measurement.runtime, median_ms=ms, p90_ms=ms)
    return replace(trial, measurement=replace(trial.measurement, runtime=runtime))


def trained(outcome: Outcome, count: int, rungs: int = 3) -> list[Trial]:
    trials = [outcome(number, each) for number, each in enumerate(drawn(count))]
    return with_rungs(trials, *(lambda psnr, more=rung: psnr + more for rung in range(rungs)))


def with_rungs(trials: Sequence[Trial], *psnrs: Callable[[float], float]) -> list[Trial]:
    """Return the trials with rungs of these functions of their PSNR."""
    return [
        replace(each, rungs=tuple(Rung(4**rung, psnr(each.psnr), 1.0) for rung, psnr in enumerate(psnrs)))
        for each in trials
    ]


@pytest.fixture
def endless(outcome_within: Callable[[float], Outcome]) -> Outcome:
    return outcome_within(math.inf)


def test_everything_is_feasible_on_an_unknown_device() -> None:
    unknown = surrogate_of(1e-9, LatencyPredictor(SIZE), widths=(8, 12, 16))
    large = repeated(64, "residual_leaky", 16)
    assert unknown.budget_share(large) is None
    assert unknown.is_predicted_feasible(large)
    assert Surrogate(None, 1e-9, SIZE, STEPS).budget_share(large) is None
    assert Surrogate(None, 1e-9, SIZE, STEPS).is_predicted_feasible(large)


@pytest.mark.parametrize("share", [0.5, 0.999, 1.001, 2.0])
def test_share_of_the_budget_holds_what_predictions_err_by(share: float) -> None:
    small = repeated(8, "branched_conv", 1)
    surrogate = surrogate_of(likely(share, small))
    assert surrogate.budget_share(small) == pytest.approx(share)
    assert surrogate.is_predicted_feasible(small) is (share <= 1)


def test_network_that_cannot_be_trained_is_not_feasible() -> None:
    surrogate = surrogate_of(is_trainable=lambda architecture: architecture.num_feat == 8)
    assert surrogate.is_predicted_feasible(repeated(8, "branched_conv", 1))
    assert not surrogate.is_predicted_feasible(repeated(16, "branched_conv", 1))


def test_network_with_a_free_width_above_it_is_not_feasible() -> None:
    by_eights = LatencyPredictor(SIZE, replace(MODEL, channel_step=8), replace(MODEL, channel_step=8))
    surrogate = surrogate_of(latency=by_eights, widths=(8, 12, 16, 20))
    feasible = [width for width in (8, 12, 16, 20) if surrogate.is_predicted_feasible(repeated(width, "idle", 2))]
    # Beyond the widest there is none.
    assert feasible == [8, 16, 20]


def test_measured_networks_correct_the_predictions(outcome: Outcome) -> None:
    networks = [repeated(8, "branched_conv", count) for count in range(1, 6)]
    surrogate = surrogate_of(likely(0.99, networks[4]))
    before = DEVICE.predict(networks[4])
    assert surrogate.is_predicted_feasible(networks[4])
    surrogate.observe([timed(outcome(n, each), 2 * DEVICE.predict(each)) for n, each in enumerate(networks[:4])])
    assert surrogate.latency is not None
    assert surrogate.latency.predict(networks[4]) == pytest.approx(2 * before, rel=0.02)
    assert not surrogate.is_predicted_feasible(networks[4])
    # What was learned is learned anew, not on top.
    surrogate.observe([timed(outcome(n, each), 3 * DEVICE.predict(each)) for n, each in enumerate(networks[:3])])
    assert surrogate.latency.predict(networks[4]) == pytest.approx(3 * before, rel=0.02)


def test_candidate_that_is_measured_again_is_learned_anew(outcome: Outcome) -> None:
    """Put off before, which is no verdict, and over the budget now: the number of trials is what it was."""
    one = repeated(8, "branched_conv", 1)
    surrogate = surrogate_of()
    for factor, state, learned in ((2.0, "put off", 1.0), (3.0, "infeasible", 3.0)):
        surrogate.observe([replace(timed(outcome(0, one), factor * DEVICE.predict(one)), state=state)])
        assert surrogate.latency is not None
        assert surrogate.latency.predict(one) == pytest.approx(learned * DEVICE.predict(one), rel=0.02)


def test_of_a_long_record_the_latest_networks_are_learned_from_and_all_are_ranked(
    endless: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.predictors.surrogate._LEARNED", 10)
    trials = trained(endless, 14, rungs=2)
    whole, latest = surrogate_of(), surrogate_of()
    whole.observe(trials)
    latest.observe(trials[-10:])
    unseen = repeated(24, "residual_leaky", 3)
    assert whole.acquisition(unseen) == latest.acquisition(unseen)
    assert whole.budget_share(unseen) == latest.budget_share(unseen)
    assert whole.describe() == latest.describe()
    first = trials[0]
    candidate = Candidate(first.architecture.key, first.runtime_ms, first.objectives[2], first.rungs[:1])
    assert math.isfinite(whole.promotion_score(candidate, 0))


def test_copies_failures_and_the_far_too_slow_teach_nothing(outcome: Outcome) -> None:
    networks = [repeated(8, "branched_conv", count) for count in range(1, 5)]
    near = [timed(outcome(number, each), 10.0 + number) for number, each in enumerate(networks[:3])]

    def known(*more: Trial) -> int:
        surrogate = surrogate_of(10.0)
        surrogate.observe([*near, *more])
        assert surrogate.latency is not None
        return len(surrogate.latency.measured)

    another = outcome(3, networks[3])
    assert known() == 3
    assert known(timed(another, 29.0)) == 4
    assert known(timed(another, 31.0)) == 3
    assert known(timed(replace(another, duplicate_of=0), 29.0)) == 3
    assert known(replace(another, measurement=None, state="failed")) == 3
    # Where there is little else it is better than nothing.
    near = near[:2]
    assert known(timed(another, 31.0)) == 3


def test_first_rung_is_scored_by_its_psnr_until_a_regression_ranks_better(endless: Outcome) -> None:
    surrogate = surrogate_of()
    trials = with_rungs(trained(endless, 14), lambda psnr: psnr)
    candidate = Candidate(trials[0].architecture.key, 1.0, 1.0, trials[0].rungs)
    surrogate.observe(trials)
    assert surrogate.promotion_score(candidate, 0) == trials[0].psnr
    # In the same order on the second rung: the first ranks as well as anything.
    surrogate.observe(with_rungs(trials, lambda psnr: psnr, lambda psnr: psnr + 1))
    assert surrogate.promotion_score(candidate, 0) == pytest.approx(trials[0].psnr, abs=1e-9)
    assert surrogate.describe()[2].endswith("the first PSNR chose which candidates trained on, "
                                            "ranking no worse than predictions.")  # fmt: skip
    # In the reverse order: it misled.
    reverse = with_rungs(trials, lambda psnr: psnr, lambda psnr: 60 - psnr, lambda psnr: 60 - psnr)
    surrogate.observe(reverse)
    assert surrogate.promotion_score(candidate, 0) == pytest.approx(60 - trials[0].psnr, abs=0.5)
    assert surrogate.describe()[2].startswith("The PSNR of a candidate after stage 3 of 3 was predicted from ")
    assert surrogate.describe()[2].endswith("predictions chose which candidates trained on.")
    assert surrogate.promotion_score(replace(candidate, rungs=reverse[0].rungs), 1) == reverse[0].rungs[1].psnr
    stranger = replace(candidate, key="another")
    assert surrogate.promotion_score(stranger, 0) == trials[0].psnr


def test_a_kind_that_starts_slowly_is_given_on_the_first_rung_what_it_gains_on_the_second(endless: Outcome) -> None:
    surrogate, (fast, slow, other) = surrogate_of(), trained(endless, 3)
    psnr = 25.0
    one, two = Rung(100, psnr, 1.0), Rung(400, psnr + 0.25, 1.0)
    fast, slow, other = (
        replace(each, architecture=repeated(16, kind, number + 1), rungs=rungs)
        for number, (each, kind, rungs) in enumerate([
            (fast, "idle", (one, two)), (slow, "wide_conv", (one, replace(two, psnr=psnr + 0.5))),
            (other, "wide_conv", (one,)),
        ])
    )  # fmt: skip
    surrogate.observe([fast, slow, other])
    score = surrogate.promotion_score(Candidate(other.architecture.key, 1.0, 1.0, other.rungs), 0)
    assert score == pytest.approx(psnr + 0.125 / 1.25)
    assert surrogate.promotion_score(Candidate(slow.architecture.key, 1.0, 1.0, slow.rungs), 1) == psnr + 0.5


@pytest.mark.parametrize(("on_top", "stage"), [(12, 3), (11, 2), (0, 2)])
def test_highest_rung_that_enough_finished_is_predicted(on_top: int, stage: int, endless: Outcome) -> None:
    trials = [
        replace(each, rungs=each.rungs[: 1 + (number < 15) + (number < on_top)])
        for number, each in enumerate(trained(endless, 20))
    ]
    surrogate = surrogate_of()
    surrogate.observe(trials)
    assert surrogate.describe()[2].startswith(f"The PSNR of a candidate after stage {stage} of 3 ")


def test_acquisition_is_size_at_first_and_then_what_trained_well(endless: Outcome) -> None:
    surrogate = surrogate_of()
    small, large = repeated(16, "residual_leaky", 2), repeated(16, "residual_leaky", 9)
    assert surrogate.acquisition(small) < surrogate.acquisition(large)
    # The smaller, the better: the contrary of what was expected.
    trials = with_rungs(trained(endless, 16), lambda psnr: 50 - psnr)
    surrogate.observe(trials)
    assert surrogate.describe()[1].endswith("predictions chose what was tried next.")
    assert surrogate.acquisition(small) > surrogate.acquisition(large)
    acquired = [surrogate.acquisition(trial.architecture) for trial in trials]
    tau = kendall_tau(acquired, [trial.rungs[0].psnr for trial in trials])
    assert tau is not None
    assert tau > 0.5


def test_acquisition_stays_size_where_multiply_adds_put_all_in_order(endless: Outcome) -> None:
    trials = trained(endless, 16)
    in_order = sorted(range(16), key=lambda number: counts(trials[number].architecture, SIZE).multi_adds)
    ranked = [replace(trials[number], rungs=(Rung(1, 20.0 + place, 1.0),)) for place, number in enumerate(in_order)]
    surrogate = surrogate_of()
    surrogate.observe(sorted(ranked, key=lambda trial: trial.number))
    assert surrogate.describe()[1].endswith("multiply-adds chose what was tried next, ranking no worse than "
                                            "predictions.")  # fmt: skip
    for trial in trials:
        multi_adds = counts(trial.architecture, SIZE).multi_adds
        assert surrogate.acquisition(trial.architecture) == pytest.approx(math.log10(multi_adds))


def test_acquisition_of_what_is_likely_over_the_budget_is_below_all_else() -> None:
    networks = [repeated(8, "branched_conv", count) for count in (1, 2, 3, 4)]
    surrogate = surrogate_of(likely(0.95, networks[1]))
    acquired = [surrogate.acquisition(each) for each in networks]
    # The larger of the two within it comes first, and of those over it the faster.
    assert acquired[1] > acquired[0] >= 0 > acquired[2] > acquired[3]


def test_likely_p90_follows_the_spread_of_reliable_runtimes(outcome: Outcome) -> None:
    networks = [repeated(8, "branched_conv", count) for count in (1, 2)]
    budget_ms = likely(0.95, networks[1])
    trial = timed(outcome(0, networks[0]), takes := DEVICE.predict(networks[0]))
    assert trial.measurement is not None
    runtime = replace(trial.measurement.runtime, p90_ms=1.1 * takes)
    once = replace(runtime, p90_ms=takes, runs=1, reliable=False)
    steady, cold = (replace(trial, measurement=replace(trial.measurement, runtime=each)) for each in (runtime, once))

    def likely_within(*trials: Trial) -> bool:
        surrogate = surrogate_of(budget_ms)
        surrogate.observe(trials)
        return surrogate.acquisition(networks[1]) >= 0

    # One run of ten takes a tenth longer: what was just within the budget no longer is.
    assert likely_within()
    assert not likely_within(steady)
    # What ran once has no spread.
    assert likely_within(cold, cold)
    assert not likely_within(cold, steady)


def test_equal_trials_give_equal_expectations(endless: Outcome) -> None:
    trials = trained(endless, 10)
    candidate = Candidate(trials[3].architecture.key, 1.0, 1.0, trials[3].rungs)
    scores = []
    for steps in ((4, 7, 10), (10,)):
        surrogate = surrogate_of()
        for count in steps:
            surrogate.observe(trials[:count])
        scores.append(surrogate.promotion_score(candidate, 0))
    assert scores[0] == scores[1]


def test_description_before_any_trial_says_that_nothing_is_known() -> None:
    few = "was not predicted: that takes 6 trained networks, and 0 were known"
    assert surrogate_of(10.0).describe() == [
        "No predicted runtime was compared with a measured one.",
        f"The PSNR of a candidate after stage 1 of 3, its first PSNR, {few}; multiply-adds chose what was tried next.",
        f"The PSNR of a candidate after stage 2 of 3 {few}; the first PSNR chose which candidates trained on.",
    ]


def test_description_of_a_single_training_has_no_stages() -> None:
    lines = Surrogate(DEVICE, 10.0, SIZE, Ladder((64,))).describe()
    assert len(lines) == 2
    assert lines[1].startswith("The PSNR of a candidate was not predicted")


def test_description_has_every_figure(endless: Outcome) -> None:
    surrogate = surrogate_of()
    random_factor = random.Random(0)
    surrogate.observe(
        [
            timed(trial, random_factor.uniform(1, 2) * DEVICE.predict(trial.architecture))
            for trial in trained(endless, 14)
        ]
    )
    runtimes, first, later = surrogate.describe()
    assert surrogate.latency is not None
    error = surrogate.latency.unseen
    assert error is not None
    for figure in (f"{100 * error.median:.1f} %", f"{100 * error.p90:.1f} %", "on 14 networks", "of two networks they"):
        assert figure in runtimes
    for line in (first, later):
        assert re.search(r"mean error of \d\.\d{3} dB \(of two networks it named the better in \d+ % of cases\)", line)
        assert "each of 14 left out in turn" in line
