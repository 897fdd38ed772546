"""The loop of a search: what it tells and when, what it does not do twice, and how a killed one goes on."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

import pytest
import torch

from nas.config.fidelity import Fidelity
from nas.evaluate import Setup
from nas.known_networks import by_key
from nas.loop import Search
from nas.optuna_backend.study import OptunaStudy
from nas.predictors.latency import LatencyPredictor
from nas.predictors.surrogate import Surrogate
from nas.samplers.aiming import first_candidates
from nas.samplers.protocol import SearchProblem
from nas.samplers.random_search import RandomSearch
from nas.samplers.registry import make_sampler
from nas.study import Study
from nas.time_budget import TimeBudget
from nas.training.fidelity_schedule import FidelitySchedule, fidelity_schedule
from nas.training.task import ScoreTask, TrainingResult, TrainingTask
from nas.training.worker_state import WorkerState
from nas.trial import Trial
from search_spaces.architecture import Architecture, Block
from search_spaces.fast_counts import counts
from search_spaces.msrresnet import repeated as blocks
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet
from sr.measure.quality import Quality
from sr.progress import Event, Message
from sr.training.fit import Fitted, fit

P = ParamSpec("P")
T = TypeVar("T")
Outcome = Callable[[int, Architecture], Trial]
Train = Callable[[TrainingTask], Future[TrainingResult]]
SPACE = SearchSpace(
    name="small",
    positions=3,
    kinds=("residual_leaky", "branched_conv", "identity"),
    num_feat=(8, 12, 16),
    upsampler=("two_step", "one_step", "nearest_conv"),
    image_skip=("nearest",),
    aggregation=("none",),
    seeds=(blocks(8, "branched_conv", 1), blocks(8, "residual_leaky", 2), blocks(12, "branched_conv", 2)),
)
SIX = replace(SPACE, seeds=tuple(blocks(8 + 4 * (count % 2), "branched_conv", 1 + count // 2) for count in range(6)))
# About half of the draws of SPACE meet it.
BUDGET_MS = 20.0
# What the reference of every outcome takes.
CALM_MS = 5.0


class ScriptedExecutor:
    """So many workers whose trainings end as `train` says; `submitted` and `scored` hold what was handed to them."""

    def __init__(self, workers: int, setup: Setup, train: Train | None = None) -> None:
        self.workers, self.submitted, self.scored = workers, list[TrainingTask](), list[str]()
        self._state, self._train = WorkerState(setup), train

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to wait for."""

    def submit(self, work: Callable[Concatenate[WorkerState, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        (task,) = (*args, *kwargs.values())
        if isinstance(task, ScoreTask):
            assert work is WorkerState.score
            self.scored.append(task.architecture.key)
            return cast("Future[T]", ended(self._state.score(task)))
        assert work is WorkerState.train
        assert isinstance(task, TrainingTask)
        self.submitted.append(task)
        result = ended(self._state.train(task)) if self._train is None else self._train(task)
        return cast("Future[T]", result)

    def start(self) -> None:
        """There is no process to start."""

    def everywhere(self, work: Callable[Concatenate[WorkerState, P], T], *args: P.args, **kwargs: P.kwargs) -> list[T]:
        return [work(self._state, *args, **kwargs) for _ in range(self.workers)]


def ended(result: TrainingResult) -> Future[TrainingResult]:
    future: Future[TrainingResult] = Future()
    future.set_result(result)
    return future


def by_size(task: TrainingTask) -> Future[TrainingResult]:
    """Train in no time: the more multiply-adds and steps, the more dB."""
    assert task.goal is not None
    multi_adds = counts(task.architecture, (64, 64)).multi_adds
    psnr = 20 + math.log10(multi_adds) + task.goal.rung + len(task.architecture.canonical.blocks) / 7
    return ended(TrainingResult(Quality(psnr, psnr + 1.5, None, 3), 1.0))


def rung_of(task: TrainingTask) -> int:
    assert task.goal is not None
    return task.goal.rung


@dataclass
class Going:
    """A search and what it was made of.

    known: how many trials were told when each candidate was evaluated. told: the numbers of the trials, as told.
    """

    search: Search
    study: Study
    fidelity: FidelitySchedule
    executor: ScriptedExecutor
    surrogate: Surrogate
    known: list[int] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def run(self) -> list[Trial]:
        with self.executor:
            self.search.run()
        return self.study.trials

    @property
    def begun(self) -> list[str]:
        """The networks whose first rung was begun."""
        return [task.architecture.key for task in self.executor.submitted if rung_of(task) == 0]


Make = Callable[..., Going]


@pytest.fixture(scope="module")
def small(setup: Setup) -> Setup:
    return replace(setup, budget_ms=BUDGET_MS, recipe=replace(setup.recipe, steps=16))


@pytest.fixture(scope="module")
def make(small: Setup, outcome_within: Callable[[float], Outcome]) -> Make:
    """Return what opens a search in a folder, or goes on with the one there; rungs at 1, 4 and 16 steps."""
    outcome = outcome_within(BUDGET_MS)

    def search(
        folder: Path,
        trials: int,
        fidelity: Fidelity = "rungs",
        *,
        train: Train | None = None,
        space: SearchSpace = SPACE,
        workers: int = 1,
        supernet: Supernet | None = None,
        sampler: str = "mixed",
        patience: int = 1000,
        judge: Outcome = outcome,
    ) -> Going:
        schedule = fidelity_schedule(fidelity, small, folder / "candidates", supernet)
        latency, lr_size = LatencyPredictor(small.target.lr_size), small.target.lr_size
        surrogate = Surrogate(latency, BUDGET_MS, lr_size, schedule.ladder)
        study = OptunaStudy(space, "s", str(folder / "study.journal"), BUDGET_MS)
        problem = SearchProblem(
            space, 0, BUDGET_MS, surrogate.is_predicted_feasible, surrogate.acquisition, surrogate.budget_share
        )
        study.enqueue(first_candidates(problem))
        executor = ScriptedExecutor(workers, small, train)

        def evaluate(number: int, architecture: Architecture) -> Trial:
            going.known.append(len(study.trials))
            trial = judge(number, architecture)
            if trial.measurement is None:
                return trial
            # What it is worth is the loop's to say.
            return replace(trial, state="measured", measurement=replace(trial.measurement, quality=None))

        def on_told(trial: Trial, trials: Sequence[Trial]) -> None:
            assert list(trials) == study.trials
            going.told.append(trial.number)

        events: list[Event] = []
        loop = Search(
            study, make_sampler(sampler, "TPE", problem), evaluate, schedule, executor, surrogate,
            TimeBudget(math.inf, trials), calm_ms=CALM_MS, patience=patience, on_told=on_told, report=events.append,
        )  # fmt: skip
        going = Going(loop, study, schedule, executor, surrogate, events=events)
        return going

    return search


def slowed(trial: Trial, factor: float, load: float, *, alone: bool = False) -> Trial:
    """Return a measured trial whose network takes `factor` times as long, on a device that is `load` times slower.

    alone: Whether the device is so by itself, and not by what other processes do.
    """
    measured = trial.measurement
    assert measured is not None
    assert measured.reference_ms is not None
    scale, runtime = factor * load, measured.runtime
    slower = replace(
        runtime, median_ms=scale * runtime.median_ms, p10_ms=scale * runtime.p10_ms, p90_ms=scale * runtime.p90_ms,
        disturbed=load > 1 and not alone,
    )  # fmt: skip
    return replace(trial, measurement=replace(measured, runtime=slower, reference_ms=load * measured.reference_ms))


def story(trials: list[Trial]) -> list[tuple[object, ...]]:
    """Return what of trials does not hang on the clock."""
    return [
        (trial.number, trial.architecture.key, trial.state, trial.duplicate_of, [rung.psnr for rung in trial.rungs])
        for trial in trials
    ]


@pytest.fixture(scope="module")
def straight(make: Make, tmp_path_factory: pytest.TempPathFactory) -> list[Trial]:
    return make(tmp_path_factory.mktemp("straight"), 12).run()


@pytest.mark.numeric
def test_best_of_a_rung_train_on(straight: list[Trial]) -> None:
    trained = [trial for trial in straight if trial.rungs]
    higher = [trial for trial in trained if len(trial.rungs) > 1]
    assert 0 < len(trained) // 4 <= len(higher) < len(trained)
    assert max(trained, key=lambda trial: trial.psnr) in higher
    for trial in trained:
        assert [rung.steps for rung in trial.rungs] == [1, 4, 16][: len(trial.rungs)]
        assert trial.rungs[0].psnr == trial.psnr


@pytest.mark.numeric
def test_six_and_resume_and_six_are_twelve_straight(make: Make, straight: list[Trial], tmp_path: Path) -> None:
    half = make(tmp_path, 6).run()
    assert [each[:4] for each in story(half)] == [each[:4] for each in story(straight)[:6]]
    assert story(make(tmp_path, 12).run()) == story(straight)


def test_twelve_and_resume_and_twelve_are_twenty_four_straight(make: Make, tmp_path: Path) -> None:
    """With the regressions at work: both learn from what was told, and what was told is on disk."""
    whole = make(tmp_path / "straight", 24, train=by_size)
    half = make(tmp_path / "halves", 12, train=by_size).run()
    assert len(half) == 12
    straight = story(whole.run())
    assert story(make(tmp_path / "halves", 24, train=by_size).run()) == straight
    assert "of two networks it named the better in" in whole.surrogate.describe()[1]


@pytest.mark.numeric
def test_promotion_of_a_killed_search_is_taken_up_again(make: Make, straight: list[Trial], tmp_path: Path) -> None:
    executor: ScriptedExecutor

    def train(task: TrainingTask) -> Future[TrainingResult]:
        """End like a search that is interrupted where it first promotes."""
        if rung_of(task) > 0:
            raise KeyboardInterrupt
        return ended(executor.everywhere(WorkerState.train, task)[0])

    killed = make(tmp_path, 12, train=train)
    executor = killed.executor
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    study = make(tmp_path, 12).study
    assert 4 <= len(study.trials) < 12
    assert not [trial for trial in study.trials if len(trial.rungs) > 1]
    assert story(make(tmp_path, 12).run()) == story(straight)


def test_interrupt_gives_the_candidate_back(make: Make, straight: list[Trial], tmp_path: Path) -> None:
    executor: ScriptedExecutor

    def train(task: TrainingTask) -> Future[TrainingResult]:
        """End like a search that is interrupted while its third candidate trains."""
        if len(executor.submitted) == 3:
            raise KeyboardInterrupt
        return ended(executor.everywhere(WorkerState.train, task)[0])

    killed = make(tmp_path, 12, train=train)
    executor = killed.executor
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    study = make(tmp_path, 12).study
    assert story(study.trials) == story(straight)[:2]
    assert study.ask(RandomSearch(SearchProblem(SPACE, 0, BUDGET_MS)).propose)[1].key == straight[2].architecture.key


def test_interrupt_gives_back_all_that_is_running(make: Make, tmp_path: Path) -> None:
    futures: list[Future[TrainingResult]] = []

    def train(_: TrainingTask) -> Future[TrainingResult]:
        """End like a search that is interrupted while it waits for the first of its trainings."""
        futures.append(Future())
        if len(futures) == 1:
            futures[0].set_exception(KeyboardInterrupt())
        return futures[-1]

    killed = make(tmp_path, 12, train=train, workers=3)
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    assert [future.cancelled() for future in futures] == [False, True, True]
    study = make(tmp_path, 12).study
    assert study.trials == []
    propose = RandomSearch(SearchProblem(SPACE, 0, BUDGET_MS)).propose
    assert {study.ask(propose)[1].key for _ in range(3)} == set(killed.begun)


def test_what_was_trained_when_the_search_died_is_found_and_not_trained_again(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = list[int]()

    def counted(*args: Any, **kwargs: Any) -> Fitted:
        trained.append(1)
        return fit(*args, **kwargs)

    monkeypatch.setattr("nas.training.rung_training.fit", counted)
    executor: ScriptedExecutor

    def train(task: TrainingTask) -> Future[TrainingResult]:
        """Train, but end like a search that is killed before it hears of it."""
        executor.everywhere(WorkerState.train, task)
        future: Future[TrainingResult] = Future()
        future.set_exception(KeyboardInterrupt())
        return future

    killed = make(tmp_path, 3, "train", train=train, workers=2)
    executor = killed.executor
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    # Each of two workers trained its own.
    assert len(trained) == 2
    resumed = make(tmp_path, 3, "train", workers=2)
    assert resumed.study.trials == []
    assert [trial.state for trial in resumed.run()] == ["trained"] * 3
    assert len(resumed.begun) == 3
    assert len(trained) == 3


def test_outcomes_are_told_in_the_order_begun(make: Make, tmp_path: Path) -> None:
    held: list[tuple[Future[TrainingResult], TrainingResult]] = []

    def backwards(task: TrainingTask) -> Future[TrainingResult]:
        """End trainings in threes, the last one begun first."""
        held.append((Future(), by_size(task).result()))
        future = held[-1][0]
        if len(held) == 3:
            for waiting, result in reversed(held):
                waiting.set_result(result)
            held.clear()
        return future

    turned = make(tmp_path / "backwards", 6, "train", train=backwards, space=SIX, workers=3)
    at_once = make(tmp_path / "at once", 6, "train", train=by_size, space=SIX, workers=3)
    assert story(turned.run()) == story(at_once.run())
    for going in (turned, at_once):
        assert going.told == [0, 1, 2, 3, 4, 5]
        assert going.known == [0, 0, 0, 1, 2, 3]


def test_network_that_is_running_is_not_trained_twice(make: Make, tmp_path: Path) -> None:
    one = SPACE.seeds[0]
    padded = replace(one, blocks=(Block("identity"), *one.blocks))
    going = make(tmp_path, 2, "train", space=replace(SPACE, seeds=(one, padded)), workers=2)
    first, second = going.run()
    assert going.begun == [one.key]
    assert going.told == [0, 1]
    assert (second.duplicate_of, second.measurement, second.state) == (0, first.measurement, "trained")
    assert first.psnr == first.rungs[0].psnr


def test_every_candidate_trains_once_where_that_is_asked(make: Make, tmp_path: Path) -> None:
    going = make(tmp_path, 4, "train")
    trials = going.run()
    assert {tuple(rung.steps for rung in trial.rungs) for trial in trials if trial.state == "trained"} == {(16,)}
    assert going.told == [0, 1, 2, 3]
    said = [event.text for event in going.events if isinstance(event, Message)]
    assert [line.partition(":")[0] for line in said] == ["trial 0", "trial 1", "trial 2", "trial 3"]


def test_supernet_scores_all_and_the_best_train_on_from_it(make: Make, tmp_path: Path) -> None:
    torch.manual_seed(1)
    going = make(tmp_path, 10, "supernet", supernet=Supernet(SPACE).eval())
    trials = [trial for trial in going.run() if trial.rungs]
    assert going.executor.scored == [trial.architecture.key for trial in trials]
    assert all(trial.rungs[0].steps == 0 for trial in trials)
    higher = [trial for trial in trials if len(trial.rungs) > 1]
    assert 0 < len(trials) // 4 <= len(higher) < len(trials)
    assert all([rung.steps for rung in trial.rungs] == [0, 16] for trial in higher)
    kept = {path.name.split(".")[0] for path in (tmp_path / "candidates").glob("*.inherited.pth")}
    assert kept == {trial.architecture.key for trial in higher}


def test_architecture_without_weights_in_the_supernet_fails_alone(make: Make, tmp_path: Path) -> None:
    narrow = Supernet(SPACE, num_feat_most=8).eval()
    trials = make(tmp_path, 3, "supernet", supernet=narrow).run()
    assert [trial.state for trial in trials] == ["trained", "trained", "failed"]
    assert "is outside the supernet of small: num_feat is at most 8" in trials[2].reason


def test_search_whose_front_no_longer_grows_stops_and_says_so(make: Make, tmp_path: Path) -> None:
    going = make(tmp_path, 60, "train", train=by_size, sampler="random", patience=3)
    trials = going.run()
    assert 8 < len(trials) < 60
    stopped = "stopped: the hypervolume grew by less than 0.1 % over the last 3 candidates"
    assert going.events[-1] == Message(stopped)


def test_search_of_which_nothing_is_feasible_ends_after_thirty_networks(
    make: Make, tmp_path: Path, outcome: Outcome
) -> None:
    going = make(tmp_path, 60, sampler="random", judge=lambda *asked: slowed(outcome(*asked), 1e6, 1.0))
    trials = going.run()
    assert len(by_key(trials)) == 30
    assert {trial.state for trial in trials} == {"infeasible"}
    assert going.executor.submitted == []


def test_search_of_an_exhausted_space_ends(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.loop._STALE_PROPOSALS", 40)
    tiny = replace(SPACE, positions=1, kinds=("branched_conv",), num_feat=(8,), upsampler=("one_step",), seeds=())
    going = make(tmp_path, 10_000, "train", train=by_size, space=tiny, sampler="random")
    trials = going.run()
    assert len(by_key(trials)) == tiny.networks
    assert len(trials) < 100
    assert trials[-1].duplicate_of is not None


def test_candidate_that_fails_on_its_first_rung_is_failed(make: Make, tmp_path: Path) -> None:
    def diverging(task: TrainingTask) -> Future[TrainingResult]:
        return (
            ended(TrainingResult(None, 2.0, "the loss is nan")) if task.architecture.num_feat == 12 else by_size(task)
        )

    trials = make(tmp_path, 3, train=diverging).run()
    assert [(trial.state, trial.reason) for trial in trials] == [
        ("trained", ""), ("trained", ""), ("failed", "the loss is nan"),
    ]  # fmt: skip


def test_candidate_that_fails_on_a_later_rung_stands_as_it_did(make: Make, tmp_path: Path) -> None:
    def diverging(task: TrainingTask) -> Future[TrainingResult]:
        return ended(TrainingResult(None, 2.0, "the loss is nan")) if rung_of(task) else by_size(task)

    going = make(tmp_path, 12, train=diverging)
    once = [trial for trial in going.run() if trial.duplicate_of is None]
    failed = [trial for trial in once if trial.reason == "the loss is nan"]
    assert failed
    assert {(trial.state, len(trial.rungs)) for trial in failed} == {("trained", 1)}
    # None was promoted a second time.
    promoted = [task.architecture.key for task in going.executor.submitted if rung_of(task)]
    assert sorted(promoted) == sorted(trial.architecture.key for trial in failed)


# Under which the smallest network is over the budget.
LOAD = 50.0


@dataclass
class Loaded:
    """Measures on a device that is busy from time to time: `loads` are those of its measurements, the last for ever.

    alone: Whether it is slower by itself then.
    """

    outcome: Outcome
    loads: Sequence[float]
    alone: bool = False
    measured: list[int] = field(default_factory=list)

    def __call__(self, number: int, architecture: Architecture) -> Trial:
        load = self.loads[min(len(self.measured), len(self.loads) - 1)]
        self.measured.append(number)
        return slowed(self.outcome(number, architecture), 1.0, load, alone=self.alone)


def test_candidate_under_load_is_put_off_and_measured_again_when_it_is_calm(
    make: Make, tmp_path: Path, outcome: Outcome
) -> None:
    device = Loaded(outcome, (1.0, LOAD, 1.0))
    going = make(tmp_path, 3, "train", train=by_size, judge=device)
    trials = going.run()
    # Before the next proposal, and as the same trial.
    assert device.measured == [0, 1, 1, 2]
    assert going.told == [0, 1, 1, 2]
    assert [trial.state for trial in trials] == ["trained"] * 3
    assert [trial.reason for trial in trials] == [""] * 3
    second = trials[1]
    assert second.measurement is not None
    assert second.runtime_ms == pytest.approx(outcome(1, second.architecture).runtime_ms)
    said = [event.text for event in going.events if isinstance(event, Message) and event.text.startswith("trial 1")]
    assert "put off: " in said[0]
    assert "no verdict while the device is busy, measured again later" in said[0]
    assert f"while the device was {LOAD:.2f} times slower than when calm" in said[0]
    assert " dB" in said[1]
    # It stays so in the record.
    assert make(tmp_path, 3, "train").study.trials == trials


@pytest.mark.parametrize(("alone", "times"), [(False, 4), (True, 2)])
def test_put_off_candidates_and_proposals_take_turns(
    make: Make, tmp_path: Path, outcome: Outcome, *, alone: bool, times: int
) -> None:
    device = Loaded(outcome, (1.0, LOAD), alone)
    trials = make(tmp_path, 3, "train", train=by_size, judge=device).run()
    assert device.measured[:5] == [0, 1, 1, 2, 2]
    # Slow to the end: each gets four measurements, two where nothing else is at work, then the likelier verdict stands.
    assert [device.measured.count(number) for number in range(3)] == [1, times, times]
    assert [trial.state for trial in trials] == ["trained"] * 3
    for trial in trials:
        assert trial.runtime_ms == pytest.approx(outcome(0, trial.architecture).runtime_ms)


def test_rough_verdict_over_the_budget_says_that_the_device_was_never_calm(
    make: Make, tmp_path: Path, outcome: Outcome
) -> None:
    def a_little_over(number: int, architecture: Architecture) -> Trial:
        trial = outcome(number, architecture)
        return slowed(trial, 1.05 * BUDGET_MS / trial.p90_ms if number else 1.0, 1.0)

    device = Loaded(a_little_over, (1.0, LOAD))
    trials = make(tmp_path, 2, "train", train=by_size, judge=device).run()
    assert [trial.state for trial in trials] == ["trained", "infeasible"]
    assert trials[1].reason.endswith("is over the budget of 20 ms; the device was never calm")
    assert device.measured == [0, 1, 1, 1, 1]


def test_far_over_the_budget_is_infeasible_at_once_under_any_load(make: Make, tmp_path: Path, outcome: Outcome) -> None:
    def judge(number: int, architecture: Architecture) -> Trial:
        return slowed(outcome(number, architecture), 100.0 if number else 1.0, 4.0 if number else 1.0)

    trials = make(tmp_path, 2, "train", train=by_size, judge=judge).run()
    assert [trial.state for trial in trials] == ["trained", "infeasible"]
    assert "never calm" not in trials[1].reason


def test_repeat_of_a_put_off_network_is_not_measured_and_follows_its_outcome(
    make: Make, tmp_path: Path, outcome: Outcome
) -> None:
    one, other = SPACE.seeds[:2]
    padded = replace(other, blocks=(Block("identity"), *other.blocks))
    device = Loaded(outcome, (1.0, LOAD, LOAD, 1.0))
    space = replace(SPACE, seeds=(one, other, padded))
    trials = make(tmp_path, 3, "train", train=by_size, space=space, judge=device).run()
    assert device.measured == [0, 1, 1, 1]
    assert [trial.duplicate_of for trial in trials] == [None, None, 1]
    assert trials[1].state == "trained"


def test_failure_of_a_candidate_that_is_measured_again_is_its_outcome(
    make: Make, tmp_path: Path, outcome: Outcome
) -> None:
    device = Loaded(outcome, (1.0, LOAD))

    def judge(number: int, architecture: Architecture) -> Trial:
        if device.measured.count(1):
            return Trial(number, architecture, "failed", None, "no memory")
        return device(number, architecture)

    trials = make(tmp_path, 2, "train", train=by_size, judge=judge).run()
    assert [(trial.state, trial.reason) for trial in trials] == [("trained", ""), ("failed", "no memory")]


def test_interrupt_in_the_training_of_a_put_off_candidate_leaves_it_put_off(
    make: Make, tmp_path: Path, outcome: Outcome
) -> None:
    def train(task: TrainingTask) -> Future[TrainingResult]:
        if task.architecture.key == SPACE.seeds[1].key:
            raise KeyboardInterrupt
        return by_size(task)

    killed = make(tmp_path, 3, "train", train=train, judge=Loaded(outcome, (1.0, LOAD, 1.0)))
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    again = make(tmp_path, 3, "train", train=by_size)
    assert [trial.state for trial in again.study.trials] == ["trained", "put off"]
    assert [trial.state for trial in again.run()] == ["trained"] * 3
