"""What every way of proposing keeps to, each by the same tests."""

import itertools
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from nas.engine import Proposer, Terms, accept_all, derived_seed, first_worthwhile
from nas.evolution import Evolution, Mixed, fitnesses, neighbours
from nas.nni_engine import TUNERS, NniProposer, require_nni
from nas.optuna_engine import NsgaProposer, OptunaEngine
from nas.proposers import ENGINES
from nas.random_search import RandomSearch
from nas.rungs import Rung
from nas.trial import Trial, front_of
from nas.workers import worker
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import repeated
from search_spaces.space import SearchSpace
from sr.errors import InputError
from sr.pareto import hypervolume

Outcome = Callable[[int, Architecture], Trial]
Make = Callable[[Terms], Proposer]
SPACE = SearchSpace(
    name="small",
    positions=4,
    kinds=("residual_leaky", "branched_conv", "inverted_x3", "identity"),
    num_feat=(8, 16, 24, 32, 48),
    upsampler=("two_step", "one_step", "nearest_conv"),
    image_skip=("nearest",),
    aggregation=("none",),
    seeds=(
        repeated(8, "branched_conv", 1),
        repeated(8, "residual_leaky", 2),
        repeated(48, "residual_leaky", 4, upsampler="two_step"),
    ),
)
# About a third of the draws of SPACE meet it.
BUDGET = 12.0


def has_nni() -> bool:
    try:
        require_nni()
    except InputError:
        return False
    return True


# Generations short enough that a short test sees some.
MAKES: dict[str, Make] = {name: make for name, make in ENGINES.items() if name not in ("nsga2", "nni")}
MAKES |= {"nsga2": partial(NsgaProposer, population=6), "aging": partial(Evolution, aging=6)}
TUNER_MAKES: dict[str, Make] = {f"nni-{name}": partial(NniProposer, tuner=name) for name in TUNERS}
NEEDS_NNI = pytest.mark.skipif(not has_nni(), reason="nni is an optional extra and is not installed")
EVERY = [*MAKES.values(), *(pytest.param(make, marks=NEEDS_NNI) for make in TUNER_MAKES.values())]
every_engine = pytest.mark.parametrize("make", EVERY, ids=[*MAKES, *TUNER_MAKES])


def engine_of(make: Make, folder: Path, seed: int = 0) -> OptunaEngine:
    return OptunaEngine(SPACE, "s", str(folder / "study.journal"), seed, BUDGET, make)


def go_on(engine: OptunaEngine, count: int, outcome: Outcome) -> list[Architecture]:
    asked = []
    for _ in range(count):
        number, architecture = engine.ask()
        engine.tell(outcome(number, architecture))
        asked.append(architecture)
    return asked


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record syncs each write, hundreds in these tests, and none of them cuts the power."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="module")
def judge(outcome_within: Callable[[float], Outcome]) -> Outcome:
    return outcome_within(BUDGET)


@pytest.fixture(scope="module")
def told(judge: Outcome) -> list[Trial]:
    """The seeds and draws of the space, as a search by chance would leave them."""
    proposer = RandomSearch(Terms(SPACE, 1, BUDGET))
    trials = [judge(number, seed) for number, seed in enumerate(SPACE.seeds)]
    for number in range(len(trials), 40):
        trials.append(judge(number, SPACE.decode(proposer.propose(number, trials))))
    return trials


@every_engine
def test_twelve_and_resume_and_twelve_are_twenty_four_straight(make: Make, tmp_path: Path, judge: Outcome) -> None:
    expected = go_on(engine_of(make, tmp_path / "straight"), 24, judge)
    got = go_on(engine_of(make, tmp_path / "resumed"), 12, judge)
    got += go_on(engine_of(make, tmp_path / "resumed"), 12, judge)
    assert got == expected
    assert expected[: len(SPACE.seeds)] == [SPACE.decode(SPACE.encode(seed)) for seed in SPACE.seeds]
    assert len({architecture.key for architecture in expected}) > 20


@every_engine
def test_a_proposal_follows_from_seed_number_and_trials(make: Make, told: list[Trial]) -> None:
    numbers = [40, 41, 42, 43]
    picks = [make(Terms(SPACE, 0, BUDGET)).propose(number, told) for number in numbers]
    for proposed in picks:
        assert SPACE.encode(SPACE.decode(proposed)) == proposed
    proposer = make(Terms(SPACE, 0, BUDGET))
    # In another order: nothing is carried from one proposal to the next.
    assert [proposer.propose(number, told) for number in reversed(numbers)] == picks[::-1]
    # Early, since a model that has seen much may be sure of its one best.
    early = [proposer.propose(number, told[:6]) for number in numbers]
    assert any(proposed != early[0] for proposed in early)
    assert [make(Terms(SPACE, 5, BUDGET)).propose(number, told[:6]) for number in numbers] != early


@every_engine
def test_what_was_abandoned_or_lost_is_proposed_again(make: Make, tmp_path: Path, judge: Outcome) -> None:
    engine = engine_of(make, tmp_path)
    go_on(engine, 4, judge)
    number, abandoned = engine.ask()
    engine.abandon(number)
    number, lost = engine.ask()
    assert lost == abandoned
    ended = subprocess.Popen(["true"])
    ended.wait(timeout=60)
    engine.asked[number].set_user_attr("worker", json.dumps({**json.loads(worker()), "pid": ended.pid}))
    again = engine_of(make, tmp_path)
    assert again.ask()[1] == lost
    assert again.trials == engine.trials


@every_engine
def test_a_later_rung_is_there_again(make: Make, tmp_path: Path, judge: Outcome) -> None:
    engine = engine_of(make, tmp_path)
    go_on(engine, 6, judge)
    before = next(trial for trial in engine.trials if trial.state == "trained")
    higher = replace(before, rungs=(Rung(4, before.psnr, 1.0), Rung(16, before.psnr + 1, 3.0)))
    top = replace(higher, rungs=(*higher.rungs, Rung(64, before.psnr + 2, 9.0)), seconds=13.0)
    for trial in (higher, top):
        engine.advance(trial)
        assert engine.trials[before.number] == trial
        assert engine_of(make, tmp_path).trials == engine.trials
    assert [trial.number for trial in engine.trials] == list(range(6))
    # The next proposal follows from the first rungs, which are the same for all.
    other = engine_of(make, tmp_path / "beside")
    go_on(other, 6, judge)
    assert engine_of(make, tmp_path).ask() == other.ask()


@every_engine
def test_any_outcome_can_be_told(make: Make, judge: Outcome) -> None:
    proposer = make(Terms(SPACE, 0, BUDGET))
    assert set(proposer.propose(0, [])) == set(SPACE.choices)
    big = repeated(48, "residual_leaky", 4)
    failed = Trial(0, big, "failed", None, "the loss is nan")
    infeasible = judge(1, SPACE.seeds[-1])
    assert infeasible.state == "infeasible"
    diverged = Trial(2, repeated(8, "branched_conv", 2), "failed", judge(2, big).measurement, "the loss is nan")
    repeat = Trial(3, infeasible.architecture, "infeasible", infeasible.measurement, duplicate_of=1)
    trials = [failed, infeasible, diverged, repeat, *(judge(4 + n, seed) for n, seed in enumerate(SPACE.seeds[:2]))]
    for count in range(1, len(trials) + 1):
        assert set(proposer.propose(count, trials[:count])) == set(SPACE.choices)


@every_engine
def test_unpromising_networks_are_drawn_again(make: Make, told: list[Trial]) -> None:
    def narrow(architecture: Architecture) -> bool:
        return architecture.num_feat <= 16

    proposer = make(Terms(SPACE, 0, BUDGET, narrow))
    proposed = [SPACE.decode(proposer.propose(number, told)) for number in range(40, 48)]
    assert sum(map(narrow, proposed)) >= 7
    assert not {architecture.key for architecture in proposed} & {trial.architecture.key for trial in told}
    nothing = make(Terms(SPACE, 0, BUDGET, lambda _: False))
    assert set(nothing.propose(40, told)) == set(SPACE.choices)


@every_engine
def test_what_was_told_is_learned_from(make: Make, told: list[Trial], judge: Outcome) -> None:
    """After 40 draws by chance more of what is proposed is within the budget than of further draws by chance."""
    if make is RandomSearch or getattr(make, "keywords", {}).get("tuner") == "Random":
        pytest.skip("the controls learn nothing")

    def within(proposer: Proposer) -> int:
        proposed = [SPACE.decode(proposer.propose(number, told)) for number in range(40, 60)]
        return sum(judge(0, architecture).state == "trained" for architecture in proposed)

    assert within(make(Terms(SPACE, 0, BUDGET))) > within(RandomSearch(Terms(SPACE, 0, BUDGET)))


@pytest.mark.parametrize("make", [ENGINES["mixed"], ENGINES["evolution"]], ids=["mixed", "evolution"])
def test_a_search_gets_further_than_one_by_chance(make: Make, told: list[Trial], judge: Outcome) -> None:
    def volume(make: Make, seed: int) -> float:
        proposer, trials = make(Terms(SPACE, seed, BUDGET)), list(told)
        for number in range(len(told), len(told) + 16):
            trials.append(judge(number, SPACE.decode(proposer.propose(number, trials))))
        return hypervolume([trial.objectives for trial in front_of(trials)], (-25.0, BUDGET, BUDGET * 1e5))

    assert sum(volume(make, seed) for seed in range(2)) > sum(volume(RandomSearch, seed) for seed in range(2))


def test_neighbours_of_the_front_are_new_and_near(told: list[Trial]) -> None:
    terms = Terms(SPACE, 0, BUDGET)
    front = front_of(told)
    parents = [SPACE.encode(trial.architecture.canonical) for trial in front]
    seen = {trial.architecture.key for trial in told}
    for number in range(30):
        picks = first_worthwhile(terms, told, neighbours(terms, front, number))
        assert SPACE.decode(picks).key not in seen
        assert min(sum(picks[name] != parent[name] for name in picks) for parent in parents) <= 3


def test_every_fourth_of_the_default_is_the_distant_engine_s(told: list[Trial]) -> None:
    terms = Terms(SPACE, 0, BUDGET)
    chance = RandomSearch(terms)
    mixed = Mixed(terms, chance)
    same = [number for number in range(40, 52) if mixed.propose(number, told) == chance.propose(number, told)]
    assert same == [40, 44, 48]
    assert mixed.propose(5, []) == chance.propose(5, [])


def test_fitness_is_budget_then_rank_then_crowding(told: list[Trial]) -> None:
    fitness = fitnesses(told, BUDGET)
    by_number = {trial.number: trial for trial in told}
    front = {trial.number for trial in front_of(told)}
    order = sorted(fitness, key=lambda number: fitness[number])
    assert set(order[: len(front)]) == front
    states = [by_number[number].state for number in order]
    assert states == sorted(states, key=["trained", "infeasible"].index)
    slow = [by_number[number].measurement for number in order if by_number[number].state == "infeasible"]
    runtimes = [measurement.runtime.p90_ms for measurement in slow if measurement is not None]
    assert runtimes == sorted(runtimes)


def test_parents_age(told: list[Trial]) -> None:
    terms = Terms(SPACE, 0, BUDGET)
    trained = [trial for trial in told if trial.state == "trained"]
    assert Evolution(terms).parents(told) == trained
    assert Evolution(terms, aging=4).parents(told) == trained[-4:]
    infeasible = [trial for trial in told if trial.state == "infeasible"]
    assert Evolution(terms).parents(infeasible) == infeasible


def test_the_last_draw_is_taken_where_none_is_worthwhile() -> None:
    draws: Sequence[Architecture] = [repeated(width, "branched_conv", 1) for width in (8, 16, 24, 32)]
    terms = Terms(SPACE, 0, BUDGET, lambda architecture: architecture.num_feat > 24)
    picks = [SPACE.encode(architecture) for architecture in draws]
    assert first_worthwhile(terms, [], picks) == picks[3]
    assert accept_all(draws[0])


def test_seeds_of_neighbouring_trials_and_draws_differ() -> None:
    seeds = {derived_seed(*numbers) for numbers in itertools.product(range(10), range(50), range(4))}
    assert len(seeds) == 2000


def test_of_several_worthwhile_draws_the_most_hopeful_is_taken() -> None:
    terms = Terms(SPACE, 0, 100.0, lambda each: each.num_feat > 8, lambda each: float(len(each.canonical.blocks)))
    draws = [SPACE.encode(each) for each in (
        repeated(width, "inverted_x3", depth, upsampler="two_step")
        for width, depth in ((8, 3), (16, 1), (16, 2), (16, 3))
    )]  # fmt: skip
    assert first_worthwhile(terms, [], draws) == draws[1]
    # Of the first two, which the unpromising one is none of.
    assert first_worthwhile(terms, [], draws, of=2) == draws[2]
    assert first_worthwhile(terms, [], draws, of=9) == draws[3]
    assert first_worthwhile(terms, [], draws[:1], of=2) == draws[0]
