"""What a search expects: from nothing at first, and from what it measured then."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas import foresight as module
from nas.counting import counts
from nas.evaluate import Setup
from nas.foresight import MARGIN, Foresight, example, measure_pieces, spread_of, telling_rung
from nas.pieces import parts, work_of
from nas.rank_correlation import kendall_tau
from nas.rungs import Candidate, Ladder, Rung
from nas.runtime_table import RuntimeTable, open_table
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from sr.device_table import DeviceTable, Figures
from sr.latency import MEMORY_FORMATS

Outcome = Callable[..., Trial]
CPU = torch.device("cpu")
SIZE = (16, 16)
STEPS = Ladder((4, 16, 64))
SPACE = replace(MSRRESNET_SPACE, name="small", num_feat=(8,), positions=2, aggregation=("none",), seeds=(
    repeated(8, "branched_conv", 1),
))  # fmt: skip


def drawn(count: int) -> list[Architecture]:
    rng = random.Random(5)
    found = {one.key: one for one in (MSRRESNET_SPACE.decode(MSRRESNET_SPACE.sample(rng)) for _ in range(3 * count))}
    return list(found.values())[:count]


def table_of(*architectures: Architecture) -> RuntimeTable:
    """Return a table in which a piece takes 1 ms for 100,000 multi-adds."""
    table = RuntimeTable(DeviceTable("runtimes of pieces", CPU, "float32", None), SIZE)
    pieces = {piece for architecture in architectures for piece in parts(architecture)}
    ms = {table.key(piece, layout): work_of(piece) / 1e5 for piece in pieces for layout in MEMORY_FORMATS}
    table.figures.remember(Figures(1.0, ms))
    return table


def within(setup: Setup, budget_ms: float, table: RuntimeTable) -> Foresight:
    return Foresight(table, replace(setup, budget_ms=budget_ms), STEPS)


def timed(trial: Trial, ms: float) -> Trial:
    assert trial.measurement is not None
    runtime = replace(trial.measurement.runtime, median_ms=ms)
    return replace(trial, measurement=replace(trial.measurement, runtime=runtime))


def test_what_is_not_known_is_promising_and_a_prediction_over_the_margin_is_not(setup: Setup) -> None:
    small, unknown = repeated(8, "branched_conv", 1), repeated(16, "branched_conv", 1)
    table = table_of(small)
    takes = table.predict(small)
    assert within(setup, takes, table).promising(small)
    assert within(setup, 1.001 * takes / MARGIN, table).promising(small)
    assert not within(setup, 0.999 * takes / MARGIN, table).promising(small)
    assert within(setup, 0.1 * takes, table).promising(unknown)


def test_what_cannot_be_judged_is_not_promising(setup: Setup) -> None:
    foresight = within(setup, 1e9, table_of())
    foresight.possible = lambda architecture: architecture.num_feat == 8
    assert foresight.promising(repeated(8, "branched_conv", 1))
    assert not foresight.promising(repeated(16, "branched_conv", 1))


def test_measured_networks_correct_the_table(setup: Setup, outcome: Outcome) -> None:
    networks = [repeated(8, "branched_conv", count) for count in range(1, 6)]
    table = table_of(*networks)
    foresight = within(setup, 1e9, table)
    foresight.learn([timed(outcome(n, each), 2 * table.predict(each)) for n, each in enumerate(networks[:4])])
    assert foresight.table.predict(networks[4]) == pytest.approx(2 * table.predict(networks[4]))
    # What was learnt is learnt anew, not on top.
    foresight.learn([timed(outcome(n, each), 3 * table.predict(each)) for n, each in enumerate(networks[:3])])
    assert foresight.table.predict(networks[4]) == pytest.approx(3 * table.predict(networks[4]))


def test_copies_the_unknown_and_the_hopeless_teach_nothing(setup: Setup, outcome: Outcome) -> None:
    small = repeated(8, "branched_conv", 1)
    foresight = within(setup, 10.0, table_of(small))
    trial = timed(outcome(0, small), 12.0)
    assert foresight.sample(trial) is not None
    assert foresight.sample(replace(trial, duplicate_of=0)) is None
    assert foresight.sample(replace(trial, measurement=None)) is None
    assert foresight.sample(timed(trial, 31.0)) is None
    assert foresight.sample(timed(outcome(1, repeated(16, "branched_conv", 1)), 12.0)) is None


def climbed(outcome: Outcome, count: int, rungs: int = 3) -> list[Trial]:
    trials = [outcome(number, each) for number, each in enumerate(drawn(count))]
    return [
        replace(trial, rungs=tuple(Rung(4**rung, trial.psnr + rung, 1.0) for rung in range(rungs))) for trial in trials
    ]


def with_rungs(trials: Sequence[Trial], *psnrs: Callable[[float], float]) -> list[Trial]:
    """Return the trials with rungs of these functions of their PSNR."""
    return [
        replace(each, rungs=tuple(Rung(4**rung, psnr(each.psnr), 1.0) for rung, psnr in enumerate(psnrs)))
        for each in trials
    ]


def test_the_first_rung_is_rated_by_its_psnr_until_a_regression_ranks_better(
    setup: Setup, outcome_within: Callable[[float], Outcome]
) -> None:
    foresight = within(setup, 1e9, table_of())
    trials = with_rungs(climbed(outcome_within(math.inf), 14), lambda psnr: psnr)
    candidate = Candidate(trials[0].architecture.key, 1.0, 1.0, trials[0].rungs)
    foresight.learn(trials)
    assert foresight.rating(candidate, 0) == trials[0].psnr
    # In the same order on the second rung: the first ranks as well as anything.
    same = with_rungs(trials, lambda psnr: psnr, lambda psnr: psnr + 1)
    foresight.learn(same)
    assert foresight.rating(candidate, 0) == trials[0].psnr
    assert "promoted nobody" in foresight.lines()[2]
    # In the reverse order: it misled.
    foresight.learn(reverse := with_rungs(trials, lambda psnr: psnr, lambda psnr: 60 - psnr, lambda psnr: 60 - psnr))
    assert foresight.foretold == 2
    assert foresight.rating(candidate, 0) == pytest.approx(60 - trials[0].psnr, abs=0.5)
    assert foresight.lines()[2].endswith("it is what promoted.")
    assert foresight.rating(replace(candidate, rungs=reverse[0].rungs), 1) == reverse[0].rungs[1].psnr
    stranger = replace(candidate, key="another")
    assert foresight.rating(stranger, 0) == trials[0].psnr


def test_the_highest_rung_that_enough_finished_is_foretold(outcome_within: Callable[[float], Outcome]) -> None:
    trials = climbed(outcome_within(math.inf), 20)
    finished = [replace(each, rungs=each.rungs[: 1 + (n < 15) + (n < 12)]) for n, each in enumerate(trials)]
    assert telling_rung(finished, STEPS) == 2
    assert telling_rung(finished[1:], STEPS) == 1
    assert telling_rung([], STEPS) == 1
    assert telling_rung(finished, Ladder((64,))) == 0


def test_hope_is_for_size_at_first_and_then_for_what_trained_well(
    setup: Setup, outcome_within: Callable[[float], Outcome]
) -> None:
    foresight = within(setup, 1e9, table_of())
    small, large = repeated(16, "residual_leaky", 2), repeated(16, "residual_leaky", 9)
    assert foresight.hope(small) < foresight.hope(large)
    # The smaller, the better: what was told is the contrary of what was hoped.
    trials = with_rungs(climbed(outcome_within(math.inf), 16), lambda psnr: 50 - psnr)
    foresight.learn(trials)
    assert foresight.trusts_hope
    assert foresight.lines()[1].endswith("it proposed.")
    assert foresight.hope(small) > foresight.hope(large)
    # Where multiply-adds put all in the right order nothing else is believed.
    in_order = sorted(range(16), key=lambda number: counts(trials[number].architecture, SIZE).multi_adds)
    ranked = [replace(trials[number], rungs=(Rung(1, 20.0 + place, 1.0),)) for place, number in enumerate(in_order)]
    other = within(setup, 1e9, table_of())
    other.learn(sorted(ranked, key=lambda trial: trial.number))
    assert not other.trusts_hope
    assert "multiply-adds ranked no worse" in other.lines()[1]
    told = {trial.architecture.key: trial.rungs[0].psnr for trial in trials}
    hoped = [foresight.hope(trial.architecture) for trial in trials]
    tau = kendall_tau(hoped, [told[trial.architecture.key] for trial in trials])
    assert tau is not None
    assert tau > 0.5


def test_what_is_likely_over_the_budget_is_the_last_hope(setup: Setup, outcome: Outcome) -> None:
    networks = [repeated(8, "branched_conv", count) for count in (1, 2, 3, 4)]
    table = table_of(*networks)
    foresight = within(setup, table.predict(networks[1]) * 1.05, table)
    hopes = [foresight.hope(each) for each in networks]
    # The larger of the two within it comes first, and of those over it the faster.
    assert hopes[1] > hopes[0] >= 0 > hopes[2] > hopes[3]
    # One run of ten takes a tenth longer: what was just within the budget no longer is.
    trial = timed(outcome(0, networks[0]), takes := table.predict(networks[0]))
    assert trial.measurement is not None
    runtime = replace(trial.measurement.runtime, p90_ms=1.1 * takes)
    steady = [replace(trial, measurement=replace(trial.measurement, runtime=runtime))]
    foresight.learn(steady)
    assert foresight.spread == pytest.approx(1.1)
    once = replace(runtime, p90_ms=takes, runs=1, reliable=False)
    hopeless = replace(trial, measurement=replace(trial.measurement, runtime=once))
    assert spread_of([hopeless, hopeless]) == 1.0
    assert spread_of([hopeless, hopeless, *steady]) == pytest.approx(1.1)
    assert foresight.hope(networks[1]) < 0 <= foresight.hope(networks[0])


def test_the_spread_of_no_runtime_is_none() -> None:
    assert spread_of([]) == 1.0


def test_equal_trials_give_equal_expectations(setup: Setup, outcome_within: Callable[[float], Outcome]) -> None:
    trials = climbed(outcome_within(math.inf), 10)
    candidate = Candidate(trials[3].architecture.key, 1.0, 1.0, trials[3].rungs)
    ratings = []
    for steps in ((4, 7, 10), (10,)):
        foresight = within(setup, 1e9, table_of())
        for count in steps:
            foresight.learn(trials[:count])
        ratings.append(foresight.rating(candidate, 0))
    assert ratings[0] == ratings[1]


def test_its_lines_say_how_far_it_was_right(setup: Setup) -> None:
    foresight = within(setup, 10.0, table_of())
    foresight.learn([])
    assert len(foresight.lines()) == 3
    assert "the order of multiply-adds, a guess" in foresight.lines()[1]
    assert "no predicted runtime was compared" in foresight.lines()[0]
    # Where one training is all, there is nothing to expect of it.
    assert len(Foresight(table_of(), setup, Ladder((64,))).lines()) == 2


def test_an_example_is_what_was_known_early_and_what_came_out(outcome: Outcome) -> None:
    trial = replace(outcome(0, repeated(8, "idle", 1)), rungs=(Rung(4, 24.0, 1.0), Rung(16, 26.0, 1.0)))
    assert trial.measurement is not None
    got = example(trial, 1)
    assert example(trial, 0).psnr == 24.0
    assert (got.psnr, got.cheap_psnr, got.complexity) == (
        26.0, {"first rung": trial.psnr}, trial.measurement.complexity,
    )  # fmt: skip


def test_pieces_are_measured_in_the_time_that_there_is(
    tmp_path: Path, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DRAWS", 2)
    monkeypatch.setattr("sr.timing.LONGEST_MS", 0.0)
    path = tmp_path / "pieces.json"
    table = open_table(CPU, "float32", SIZE, path=path)
    assert not measure_pieces(table, SPACE, 0.0)
    assert not table.knows(SPACE.seeds[0])
    assert measure_pieces(table, SPACE, 1000.0)
    assert within(setup, 1e9, table).promising(SPACE.seeds[0])
    figures = table.figures.figures
    # What is known takes no time.
    assert measure_pieces(table, SPACE, 1000.0)
    assert table.figures.figures == figures
