"""The loop of a search: what it tells and when, what it does not do twice, and how a killed one goes on."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from nas.course import QualityKind, course
from nas.crew import Crew
from nas.evaluate import Setup
from nas.foresight import Foresight
from nas.jobs import Result
from nas.loop import HOPELESS_TRIALS, Search, is_hopeless, judged, known_of, repeated, trial_line, typical_seconds
from nas.loop import UnderWay as Begun
from nas.optuna_engine import OptunaEngine
from nas.rungs import Rung
from nas.runtime_table import RuntimeTable
from nas.schedule import Schedule
from nas.trial import Trial
from search_spaces.architecture import Architecture, Block
from search_spaces.msrresnet import MSRRESNET
from search_spaces.msrresnet import repeated as blocks
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet
from sr.device_table import DeviceTable

Outcome = Callable[[int, Architecture], Trial]
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
BUDGET = 20.0


@dataclass
class Repeatable(Search):
    """A search whose measurements follow from the architecture, so that it can be repeated exactly.

    known: how many trials were told when each candidate was proposed. begun: the networks whose first rung was begun.
    """

    outcome: Outcome | None = None
    known: list[int] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    told: list[int] = field(default_factory=list)

    def costed(self, number: int, architecture: Architecture) -> Trial:
        assert self.outcome is not None
        self.known.append(len(self.engine.trials))
        trial = self.outcome(number, architecture)
        if trial.measurement is None or trial.state != "trained":
            return trial
        return replace(trial, state="measured", measurement=replace(trial.measurement, quality=None))

    def first_rung(self, architecture: Architecture) -> Future[Result]:
        self.begun.append(architecture.key)
        return super().first_rung(architecture)

    def tell(self, trial: Trial, *, advanced: bool = False) -> None:
        self.told.append(trial.number)
        super().tell(trial, advanced=advanced)


class EndsBackwards(Repeatable):
    """A search whose trainings end in threes, the last one begun first."""

    held: list[tuple[Future[Result], Result]]

    def first_rung(self, architecture: Architecture) -> Future[Result]:
        self.held = [*getattr(self, "held", []), (Future(), super().first_rung(architecture).result())]
        future = self.held[-1][0]
        if len(self.held) == 3:
            for waiting, result in reversed(self.held):
                waiting.set_result(result)
            self.held = []
        return future


class KilledAtPromotion(Repeatable):
    """A search that is interrupted where it first promotes."""

    def climb(self, _: Trial) -> None:
        raise KeyboardInterrupt


class KilledAtThird(Repeatable):
    """A search that is interrupted while its third candidate trains."""

    def first_rung(self, architecture: Architecture) -> Future[Result]:
        if len(self.begun) == 2:
            raise KeyboardInterrupt
        return super().first_rung(architecture)


class KilledWaiting(Repeatable):
    """A search that is interrupted while it waits for the first of its trainings."""

    def first_rung(self, architecture: Architecture) -> Future[Result]:
        future: Future[Result] = Future()
        if not self.begun:
            future.set_exception(KeyboardInterrupt())
        self.begun.append(architecture.key)
        return future


Make = Callable[..., Repeatable]


@pytest.fixture(scope="module", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """The record syncs each write, and none of these tests cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def make(setup: Setup, outcome_within: Callable[[float], Outcome]) -> Make:
    """Return what opens a search in a folder, or goes on with the one there; rungs at 1, 4 and 16 steps."""
    tiny = replace(setup, budget_ms=BUDGET, recipe=replace(setup.recipe, steps=16))

    def search(
        folder: Path,
        trials: int,
        kind: QualityKind = "rungs",
        cls: type[Repeatable] = Repeatable,
        space: SearchSpace = SPACE,
        workers: int = 1,
        supernet: Supernet | None = None,
    ) -> Repeatable:
        climbed = course(kind, tiny, folder / "candidates", supernet)
        table = RuntimeTable(DeviceTable("runtimes of pieces", tiny.device, tiny.dtype, None), tiny.lr_size)
        crew = Crew(1, tiny)
        # So many under way, each trained by this process as it is begun.
        crew.workers = workers
        foresight = Foresight(table, tiny, climbed.ladder)
        engine = OptunaEngine(
            space, "s", str(folder / "study.journal"), 0, BUDGET, promising=foresight.promising, hope=foresight.hope
        )
        return cls(engine, climbed, crew, Schedule(math.inf, trials), foresight, folder, outcome=outcome_within(BUDGET))

    return search


def run(search: Repeatable) -> list[Trial]:
    with search.crew:
        search.run()
    return search.engine.trials


def story(trials: list[Trial]) -> list[tuple[object, ...]]:
    """Return what of trials does not hang on the clock."""
    return [
        (trial.number, trial.architecture.key, trial.state, trial.duplicate_of, [rung.psnr for rung in trial.rungs])
        for trial in trials
    ]


@pytest.fixture(scope="module")
def straight(make: Make, tmp_path_factory: pytest.TempPathFactory) -> list[Trial]:
    return run(make(tmp_path_factory.mktemp("straight"), 12))


def test_the_best_of_a_rung_train_on(straight: list[Trial]) -> None:
    trained = [trial for trial in straight if trial.rungs]
    higher = [trial for trial in trained if len(trial.rungs) > 1]
    assert 0 < len(trained) // 4 <= len(higher) < len(trained)
    assert max(trained, key=lambda trial: trial.psnr) in higher
    for trial in trained:
        assert [rung.steps for rung in trial.rungs] == [1, 4, 16][: len(trial.rungs)]
        assert trial.rungs[0].psnr == trial.psnr


def test_six_and_resume_and_six_are_twelve_straight(make: Make, straight: list[Trial], tmp_path: Path) -> None:
    half = run(make(tmp_path, 6))
    assert [each[:4] for each in story(half)] == [each[:4] for each in story(straight)[:6]]
    assert story(run(make(tmp_path, 12))) == story(straight)


def test_thirty_and_resume_and_thirty_are_sixty_straight(make: Make, tmp_path: Path) -> None:
    """With the regressions at work: both learn from what was told, and what was told is on disk."""
    whole = make(tmp_path / "straight", 60)
    half = run(make(tmp_path / "halves", 30))
    assert len(half) == 30
    sixty = story(run(whole))
    assert story(run(make(tmp_path / "halves", 60))) == sixty
    assert whole.foresight.untrained.error.tau is not None
    # And the same search again tells the same.
    assert story(run(make(tmp_path / "again", 60))) == sixty


def test_a_promotion_of_a_killed_search_is_taken_up_again(make: Make, straight: list[Trial], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(make(tmp_path, 12, cls=KilledAtPromotion))
    engine = make(tmp_path, 12).engine
    assert 4 <= len(engine.trials) < 12
    assert not [trial for trial in engine.trials if len(trial.rungs) > 1]
    assert story(run(make(tmp_path, 12))) == story(straight)


def test_an_interrupt_gives_the_candidate_back(make: Make, straight: list[Trial], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(make(tmp_path, 12, cls=KilledAtThird))
    engine = make(tmp_path, 12).engine
    assert story(engine.trials) == story(straight)[:2]
    assert engine.ask()[1].key == straight[2].architecture.key


def test_an_interrupt_gives_back_all_that_is_under_way(make: Make, tmp_path: Path) -> None:
    killed = make(tmp_path, 12, cls=KilledWaiting, workers=3)
    with pytest.raises(KeyboardInterrupt):
        run(killed)
    assert [each.future.cancelled() for each in killed.under_way] == [True, True]
    engine = make(tmp_path, 12).engine
    assert engine.trials == []
    assert {engine.ask()[1].key for _ in range(3)} == set(killed.begun)


def test_outcomes_are_told_in_the_order_begun(make: Make, tmp_path: Path) -> None:
    backwards = make(tmp_path / "backwards", 6, "train", EndsBackwards, SIX, 3)
    at_once = make(tmp_path / "at once", 6, "train", Repeatable, SIX, 3)
    assert story(run(backwards)) == story(run(at_once))
    for search in (backwards, at_once):
        assert search.told == [0, 1, 2, 3, 4, 5]
        assert search.known == [0, 0, 0, 1, 2, 3]


def test_a_network_that_is_under_way_is_not_trained_twice(make: Make, tmp_path: Path) -> None:
    one = SPACE.seeds[0]
    padded = replace(one, blocks=(Block("identity"), *one.blocks))
    search = make(tmp_path, 2, "train", space=replace(SPACE, seeds=(one, padded)), workers=2)
    first, second = run(search)
    assert search.begun == [one.key]
    assert search.told == [0, 1]
    assert (second.duplicate_of, second.measurement, second.state) == (0, first.measurement, "trained")
    assert first.psnr == first.rungs[0].psnr


def test_every_candidate_trains_once_where_that_is_asked(make: Make, tmp_path: Path) -> None:
    trials = run(make(tmp_path, 4, "train"))
    assert {tuple(rung.steps for rung in trial.rungs) for trial in trials if trial.state == "trained"} == {(16,)}
    table = pd.read_csv(tmp_path / "trials.csv")
    assert table["number"].tolist() == [0, 1, 2, 3]
    assert table["last_steps"].dropna().unique().tolist() == [16]


def test_a_supernet_scores_all_and_the_best_train_on_from_it(make: Make, tmp_path: Path) -> None:
    torch.manual_seed(1)
    search = make(tmp_path, 10, "supernet", supernet=Supernet(SPACE).eval())
    trials = [trial for trial in run(search) if trial.rungs]
    assert all(trial.rungs[0].steps == 0 for trial in trials)
    higher = [trial for trial in trials if len(trial.rungs) > 1]
    assert 0 < len(trials) // 4 <= len(higher) < len(trials)
    assert all([rung.steps for rung in trial.rungs] == [0, 16] for trial in higher)
    kept = {path.name.split(".")[0] for path in (tmp_path / "candidates").glob("*.inherited.pth")}
    assert kept == {trial.architecture.key for trial in higher}


def test_what_the_supernet_has_no_weights_for_fails_alone(make: Make, tmp_path: Path) -> None:
    narrow = Supernet(SPACE, num_feat_most=8).eval()
    trials = run(make(tmp_path, 3, "supernet", supernet=narrow))
    assert [trial.state for trial in trials] == ["trained", "trained", "failed"]
    assert "is outside the supernet of small: num_feat is at most 8" in trials[2].reason


def test_an_equal_network_is_answered_from_the_record(outcome: Outcome) -> None:
    before = outcome(3, blocks(16, "idle", 2))
    padded = replace(before.architecture, blocks=(Block("identity"), *before.architecture.blocks))
    trial = repeated(9, padded, known_of([before]))
    assert trial is not None
    assert (trial.number, trial.duplicate_of, trial.measurement) == (9, 3, before.measurement)
    assert trial.architecture == padded
    assert repeated(9, MSRRESNET, known_of([before])) is None


def test_a_later_rung_that_fails_leaves_what_is_known(make: Make, tmp_path: Path, outcome: Outcome) -> None:
    before = replace(outcome(0, blocks(8, "idle", 1)), rungs=(Rung(1, 25.0, 1.0),))
    climbed = make(tmp_path, 1).course
    failed = judged(Begun(before, 1, Future()), Result(None, 2.0, "the loss is nan"), climbed)
    assert failed == replace(before, reason="the loss is nan", seconds=before.seconds + 2.0)
    first = judged(Begun(replace(before, rungs=()), 0, Future()), Result(None, 2.0, "the loss is nan"), climbed)
    assert (first.state, first.rungs) == ("failed", ())
    # It is not promoted a second time.
    others = [outcome(number, blocks(8, "idle", number + 1)) for number in range(1, 4)]
    trials = [failed, *(replace(other, rungs=(Rung(1, 20.0, 1.0),)) for other in others)]
    assert climbed.promoted(trials, set()) is None
    assert climbed.promoted([before, *trials[1:]], set()) == before.architecture.key


def test_a_budget_is_given_up_when_nothing_of_many_meets_it(outcome: Outcome) -> None:
    over = outcome(0, MSRRESNET)
    assert over.state == "infeasible"
    many = {str(index): over for index in range(HOPELESS_TRIALS)}
    assert is_hopeless(many)
    assert not is_hopeless(dict(list(many.items())[1:]))
    assert not is_hopeless(many | {"met": outcome(1, blocks(8, "idle", 1))})


def test_the_typical_length_is_that_of_trained_candidates_up_to_their_first_rung(outcome: Outcome) -> None:
    trained = outcome(0, blocks(8, "idle", 1))
    lengths = [replace(trained, seconds=seconds) for seconds in (3.0, 9.0, 5.0)]
    higher = replace(trained, seconds=60.0, rungs=(Rung(1, 25.0, 2.0), Rung(4, 26.0, 55.0)))
    assert typical_seconds([*lengths, replace(outcome(1, MSRRESNET), seconds=100.0)]) == 5.0
    assert typical_seconds([higher]) == 5.0
    assert typical_seconds([]) == 0.0


def test_a_trial_is_one_line(outcome: Outcome) -> None:
    trained, over = outcome(0, blocks(8, "idle", 1)), replace(outcome(1, MSRRESNET), reason="is over the budget")
    line = trial_line(trained, [trained, over], Schedule(600.0, None))
    assert "\n" not in line
    assert f"trial 0: {trained.psnr:.2f} dB" in line
    assert "left to search" in line
    assert "infeasible: is over the budget" in trial_line(over, [trained, over], Schedule(float("inf"), 2))
    higher = replace(trained, rungs=(Rung(20, 25.0, 1.0), Rung(80, 26.5, 2.0)))
    line = trial_line(higher, [higher], Schedule(float("inf"), 2))
    assert "trial 0: 25.00 -> 26.50 dB after 80 steps, " in line
    assert "best 26.50 dB" in line
