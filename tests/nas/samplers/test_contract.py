"""What every sampler keeps to, each by the same tests."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from nas.optuna_backend.samplers import NsgaSampler
from nas.optuna_backend.study import OptunaStudy
from nas.samplers.aiming import first_candidates
from nas.samplers.evolution import Evolution
from nas.samplers.nni_tuners import TUNERS, NniSampler, require_nni
from nas.samplers.protocol import Sampler, SearchProblem
from nas.samplers.random_search import RandomSearch
from nas.samplers.registry import SAMPLERS
from nas.successive_halving import Rung
from nas.trial import Trial, front_of
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import repeated
from sr.errors import InputError
from sr.pareto import hypervolume

Outcome = Callable[[int, Architecture], Trial]
Make = Callable[[SearchProblem], Sampler]


def has_nni() -> bool:
    try:
        require_nni()
    except InputError:
        return False
    return True


NEEDS_NNI = pytest.mark.skipif(not has_nni(), reason="nni is an optional extra and is not installed")
TUNER_MAKES: Mapping[str, Make] = {f"nni-{name}": partial(NniSampler, tuner=name) for name in TUNERS}
# Generations short enough that a short test sees some; `nni` is one of its tuners.
SHORT: Mapping[str, Make] = {"nsga2": partial(NsgaSampler, population=6), "aging": partial(Evolution, aging=6)}
MAKES: Mapping[str, Make] = {name: make for name, make in SAMPLERS.items() if name != "nni"} | SHORT | TUNER_MAKES
# They learn nothing.
CONTROLS = ("random", "nni-Random")


@pytest.fixture(params=[pytest.param(name, marks=NEEDS_NNI if name in TUNER_MAKES else ()) for name in MAKES])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(name: str) -> Make:
    return MAKES[name]


def study_of(problem: SearchProblem, folder: Path) -> OptunaStudy:
    study = OptunaStudy(problem.space, "s", str(folder / "study.journal"), problem.budget_ms)
    study.enqueue(first_candidates(problem))
    return study


def go_on(study: OptunaStudy, sampler: Sampler, count: int, outcome: Outcome) -> list[Architecture]:
    asked = []
    for _ in range(count):
        number, architecture = study.ask(sampler.propose)
        study.tell(outcome(number, architecture))
        asked.append(architecture)
    return asked


def test_twelve_and_resume_and_twelve_are_twenty_four_straight(
    make: Make, problem: SearchProblem, tmp_path: Path, judge: Outcome
) -> None:
    expected = go_on(study_of(problem, tmp_path / "straight"), make(problem), 24, judge)
    got = go_on(study_of(problem, tmp_path / "resumed"), make(problem), 12, judge)
    got += go_on(study_of(problem, tmp_path / "resumed"), make(problem), 12, judge)
    assert got == expected
    space = problem.space
    assert expected[: len(space.seeds)] == [space.decode(space.encode(seed)) for seed in space.seeds]
    assert len({architecture.key for architecture in expected}) > 20


def test_proposal_follows_from_seed_number_and_trials(
    make: Make, problem: SearchProblem, observed: tuple[Trial, ...]
) -> None:
    numbers = [40, 41, 42, 43]
    picks = [make(problem).propose(number, observed) for number in numbers]
    for proposed in picks:
        assert problem.space.encode(problem.space.decode(proposed)) == proposed
    sampler = make(problem)
    # In another order: nothing is carried from one proposal to the next.
    assert [sampler.propose(number, observed) for number in reversed(numbers)] == picks[::-1]
    # Early, since a model that has seen much may be sure of its one best.
    early = [sampler.propose(number, observed[:6]) for number in numbers]
    assert any(proposed != early[0] for proposed in early)
    other = replace(problem, seed=5)
    assert [make(other).propose(number, observed[:6]) for number in numbers] != early


def test_proposal_follows_from_first_rungs_alone(
    make: Make, problem: SearchProblem, observed: tuple[Trial, ...]
) -> None:
    """They are the same for all candidates."""
    promoted = [
        replace(trial, rungs=(Rung(4, trial.psnr, 1.0), Rung(16, trial.psnr + trial.number, 3.0)), seconds=13.0)
        if trial.state == "trained"
        else trial
        for trial in observed[:12]
    ]
    assert make(problem).propose(12, promoted) == make(problem).propose(12, observed[:12])


def test_any_outcome_can_be_observed(make: Make, problem: SearchProblem, judge: Outcome) -> None:
    space, sampler = problem.space, make(problem)
    assert set(sampler.propose(0, [])) == set(space.choices)
    big = repeated(48, "residual_leaky", 4)
    failed = Trial(0, big, "failed", None, "the loss is nan")
    infeasible = judge(1, space.seeds[-1])
    assert infeasible.state == "infeasible"
    diverged = Trial(2, repeated(8, "branched_conv", 2), "failed", judge(2, big).measurement, "the loss is nan")
    repeat = Trial(3, infeasible.architecture, "infeasible", infeasible.measurement, duplicate_of=1)
    put_off = replace(judge(4, repeated(8, "branched_conv", 3)), state="put off", calm_ms=2.0)
    unseen = put_off.measurement
    assert unseen is not None
    put_off = replace(put_off, measurement=replace(unseen, quality=None))
    trials = [
        failed,
        infeasible,
        diverged,
        repeat,
        put_off,
        *(judge(5 + n, seed) for n, seed in enumerate(space.seeds[:2])),
    ]
    for count in range(1, len(trials) + 1):
        assert set(sampler.propose(count, trials[:count])) == set(space.choices)


def test_networks_predicted_infeasible_are_drawn_again(
    make: Make, problem: SearchProblem, observed: tuple[Trial, ...]
) -> None:
    def narrow(architecture: Architecture) -> bool:
        return architecture.num_feat <= 16

    space, sampler = problem.space, make(replace(problem, is_predicted_feasible=narrow))
    proposed = [space.decode(sampler.propose(number, observed)) for number in range(40, 48)]
    assert sum(map(narrow, proposed)) >= 7
    assert not {architecture.key for architecture in proposed} & {trial.architecture.key for trial in observed}
    nothing = make(replace(problem, is_predicted_feasible=lambda _: False))
    assert set(nothing.propose(40, observed)) == set(space.choices)


def test_sampler_learns_from_what_was_observed(
    name: str, make: Make, problem: SearchProblem, observed: tuple[Trial, ...], judge: Outcome
) -> None:
    """After 40 draws by chance more of what is proposed is within the budget than of further draws by chance."""
    if name in CONTROLS:
        pytest.skip("the controls learn nothing")

    def within(sampler: Sampler) -> int:
        proposed = [problem.space.decode(sampler.propose(number, observed)) for number in range(40, 60)]
        return sum(judge(0, architecture).state == "trained" for architecture in proposed)

    assert within(make(problem)) > within(RandomSearch(problem))


@pytest.mark.parametrize("name", ["mixed", "evolution"])
def test_search_gets_further_than_one_by_chance(
    name: str, problem: SearchProblem, observed: tuple[Trial, ...], judge: Outcome
) -> None:
    def volume(make: Make, seed: int) -> float:
        sampler, trials = make(replace(problem, seed=seed)), list(observed)
        for number in range(len(observed), len(observed) + 16):
            trials.append(judge(number, problem.space.decode(sampler.propose(number, trials))))
        budget_ms = problem.budget_ms
        return hypervolume([trial.objectives for trial in front_of(trials)], (-25.0, budget_ms, budget_ms * 1e5))

    assert sum(volume(MAKES[name], seed) for seed in range(2)) > sum(volume(RandomSearch, seed) for seed in range(2))
