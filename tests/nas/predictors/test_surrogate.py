"""What a search expects: from nothing at first, and from what it measured then."""

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from nas.predictors.feasibility import MARGIN
from nas.predictors.latency_entries import entries_of, work_of
from nas.predictors.latency_table import LatencyTable
from nas.predictors.surrogate import Surrogate
from nas.successive_halving import Candidate, Ladder, Rung
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.fast_counts import counts
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from sr.measure.timing_cache import TimingCache, Timings
from sr.memory_format import MEMORY_FORMATS
from sr.rank_correlation import kendall_tau

Outcome = Callable[..., Trial]
SIZE = (16, 16)
STEPS = Ladder((4, 16, 64))
ENDLESS_MS = 1e9


def drawn(count: int) -> list[Architecture]:
    rng = random.Random(5)
    found = {one.key: one for one in (MSRRESNET_SPACE.decode(MSRRESNET_SPACE.sample(rng)) for _ in range(3 * count))}
    return list(found.values())[:count]


def table_of(*architectures: Architecture) -> LatencyTable:
    """Return a table in which an entry takes 1 ms for 100,000 multi-adds."""
    cache = TimingCache("entries", torch.device("cpu"), "float32", None)
    entries = {entry for architecture in architectures for entry in entries_of(architecture)}
    ms = {
        f"{entry.name} {entry.num_feat}ch 16x16 {layout}": work_of(entry) / 1e5
        for entry in entries
        for layout in MEMORY_FORMATS
    }
    cache.remember(Timings(1.0, ms))
    return LatencyTable(cache, SIZE)


def surrogate_of(table: LatencyTable, budget_ms: float = ENDLESS_MS) -> Surrogate:
    return Surrogate(table, budget_ms, SIZE, STEPS)


def timed(trial: Trial, ms: float) -> Trial:
    assert trial.measurement is not None
    runtime = replace(trial.measurement.runtime, median_ms=ms)
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


def test_unknown_network_is_feasible_and_a_prediction_over_the_margin_is_not() -> None:
    small, unknown = repeated(8, "branched_conv", 1), repeated(16, "branched_conv", 1)
    table = table_of(small)
    takes = table.predict(small)
    assert surrogate_of(table, takes).is_predicted_feasible(small)
    assert surrogate_of(table, 1.001 * takes / MARGIN).is_predicted_feasible(small)
    assert not surrogate_of(table, 0.999 * takes / MARGIN).is_predicted_feasible(small)
    assert surrogate_of(table, 0.1 * takes).is_predicted_feasible(unknown)


def test_network_that_cannot_be_trained_is_not_feasible() -> None:
    surrogate = Surrogate(table_of(), ENDLESS_MS, SIZE, STEPS, lambda architecture: architecture.num_feat == 8)
    assert surrogate.is_predicted_feasible(repeated(8, "branched_conv", 1))
    assert not surrogate.is_predicted_feasible(repeated(16, "branched_conv", 1))


def test_measured_networks_correct_the_table(outcome: Outcome) -> None:
    networks = [repeated(8, "branched_conv", count) for count in range(1, 6)]
    table = table_of(*networks)
    surrogate = surrogate_of(table)
    surrogate.observe([timed(outcome(n, each), 2 * table.predict(each)) for n, each in enumerate(networks[:4])])
    assert surrogate.table.predict(networks[4]) == pytest.approx(2 * table.predict(networks[4]))
    # What was learned is learned anew, not on top.
    surrogate.observe([timed(outcome(n, each), 3 * table.predict(each)) for n, each in enumerate(networks[:3])])
    assert surrogate.table.predict(networks[4]) == pytest.approx(3 * table.predict(networks[4]))


def test_correction_makes_a_network_infeasible(outcome: Outcome) -> None:
    networks = [repeated(8, "branched_conv", count) for count in range(1, 6)]
    table = table_of(*networks)
    surrogate = surrogate_of(table, table.predict(networks[4]))
    assert surrogate.is_predicted_feasible(networks[4])
    surrogate.observe([timed(outcome(n, each), 2 * table.predict(each)) for n, each in enumerate(networks[:4])])
    assert not surrogate.is_predicted_feasible(networks[4])


def test_copies_the_unknown_and_the_far_too_slow_teach_nothing(outcome: Outcome) -> None:
    small = repeated(8, "branched_conv", 1)
    table = table_of(small)
    trial = timed(outcome(0, small), 12.0)

    def learned_from(one: Trial) -> bool:
        surrogate = surrogate_of(table, 10.0)
        surrogate.observe([one])
        return surrogate.table.correction is not None

    assert learned_from(trial)
    assert not learned_from(replace(trial, duplicate_of=0))
    assert not learned_from(replace(trial, measurement=None, state="failed"))
    assert not learned_from(timed(trial, 31.0))
    assert not learned_from(timed(outcome(1, repeated(16, "branched_conv", 1)), 12.0))


def test_first_rung_is_scored_by_its_psnr_until_a_regression_ranks_better(endless: Outcome) -> None:
    surrogate = surrogate_of(table_of())
    trials = with_rungs(trained(endless, 14), lambda psnr: psnr)
    candidate = Candidate(trials[0].architecture.key, 1.0, 1.0, trials[0].rungs)
    surrogate.observe(trials)
    assert surrogate.promotion_score(candidate, 0) == trials[0].psnr
    # In the same order on the second rung: the first ranks as well as anything.
    surrogate.observe(with_rungs(trials, lambda psnr: psnr, lambda psnr: psnr + 1))
    assert surrogate.promotion_score(candidate, 0) == trials[0].psnr
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


@pytest.mark.parametrize(("on_top", "stage"), [(12, 3), (11, 2), (0, 2)])
def test_highest_rung_that_enough_finished_is_predicted(on_top: int, stage: int, endless: Outcome) -> None:
    trials = [
        replace(each, rungs=each.rungs[: 1 + (number < 15) + (number < on_top)])
        for number, each in enumerate(trained(endless, 20))
    ]
    surrogate = surrogate_of(table_of())
    surrogate.observe(trials)
    assert surrogate.describe()[2].startswith(f"The PSNR of a candidate after stage {stage} of 3 ")


def test_acquisition_is_size_at_first_and_then_what_trained_well(endless: Outcome) -> None:
    surrogate = surrogate_of(table_of())
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
    surrogate = surrogate_of(table_of())
    surrogate.observe(sorted(ranked, key=lambda trial: trial.number))
    assert surrogate.describe()[1].endswith("multiply-adds chose what was tried next, ranking no worse than "
                                            "predictions.")  # fmt: skip
    for trial in trials:
        multi_adds = counts(trial.architecture, SIZE).multi_adds
        assert surrogate.acquisition(trial.architecture) == pytest.approx(math.log10(multi_adds))


def test_acquisition_of_what_is_likely_over_the_budget_is_below_all_else() -> None:
    networks = [repeated(8, "branched_conv", count) for count in (1, 2, 3, 4)]
    table = table_of(*networks)
    surrogate = surrogate_of(table, table.predict(networks[1]) * 1.05)
    acquired = [surrogate.acquisition(each) for each in networks]
    # The larger of the two within it comes first, and of those over it the faster.
    assert acquired[1] > acquired[0] >= 0 > acquired[2] > acquired[3]


def test_likely_p90_follows_the_spread_of_reliable_runtimes(outcome: Outcome) -> None:
    networks = [repeated(8, "branched_conv", count) for count in (1, 2)]
    table = table_of(*networks)
    budget_ms = table.predict(networks[1]) * 1.05
    trial = timed(outcome(0, networks[0]), takes := table.predict(networks[0]))
    assert trial.measurement is not None
    runtime = replace(trial.measurement.runtime, p90_ms=1.1 * takes)
    once = replace(runtime, p90_ms=takes, runs=1, reliable=False)
    steady, cold = (replace(trial, measurement=replace(trial.measurement, runtime=each)) for each in (runtime, once))

    def likely_within(*trials: Trial) -> bool:
        surrogate = surrogate_of(table, budget_ms)
        surrogate.observe(trials)
        return surrogate.acquisition(networks[1]) >= 0

    # One run of ten takes a tenth longer: what was just within the budget no longer is.
    assert likely_within()
    assert not likely_within(steady)
    # What ran once has no spread.
    assert likely_within(cold, cold)
    assert not likely_within(cold, cold, steady)


def test_equal_trials_give_equal_expectations(endless: Outcome) -> None:
    trials = trained(endless, 10)
    candidate = Candidate(trials[3].architecture.key, 1.0, 1.0, trials[3].rungs)
    scores = []
    for steps in ((4, 7, 10), (10,)):
        surrogate = surrogate_of(table_of())
        for count in steps:
            surrogate.observe(trials[:count])
        scores.append(surrogate.promotion_score(candidate, 0))
    assert scores[0] == scores[1]


def test_description_before_any_trial_says_that_nothing_is_known() -> None:
    few = "was not predicted: that takes 6 trained networks, and 0 were known"
    assert surrogate_of(table_of(), 10.0).describe() == [
        "No predicted runtime was compared with a measured one.",
        f"The PSNR of a candidate after stage 1 of 3, its first PSNR, {few}; multiply-adds chose what was tried next.",
        f"The PSNR of a candidate after stage 2 of 3 {few}; the first PSNR chose which candidates trained on.",
    ]


def test_description_of_a_single_training_has_no_stages() -> None:
    lines = Surrogate(table_of(), 10.0, SIZE, Ladder((64,))).describe()
    assert len(lines) == 2
    assert lines[1].startswith("The PSNR of a candidate was not predicted")


def test_description_has_every_figure(endless: Outcome) -> None:
    networks = drawn(14)
    table = table_of(*networks)
    surrogate = surrogate_of(table)
    random_factor = random.Random(0)
    surrogate.observe(
        [
            timed(trial, random_factor.uniform(1, 2) * table.predict(trial.architecture))
            for trial in trained(endless, 14)
        ]
    )
    runtimes, first, later = surrogate.describe()
    error = surrogate.table.error()
    assert error is not None
    for figure in (f"{100 * error.median:.1f} %", f"{100 * error.p90:.1f} %", "on 14 networks", "rank correlation 0."):
        assert figure in runtimes
    for line in (first, later):
        assert re.search(r"mean error of \d\.\d{3} dB \(Kendall's tau -?[01]\.\d\d\)", line)
        assert "each of 14 left out in turn" in line
