"""How a candidate is judged: which rungs there are, what each starts from, and who goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.bucket import Bucket
from nas.evaluate import Setup
from nas.successive_halving import Rung
from nas.training.fidelity_schedule import fidelity_schedule
from nas.training.supernet import score
from nas.training.worker_state import WorkerState
from nas.trial import Trial
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.supernet import Supernet
from sr.checkpoint import load_network
from sr.errors import InputError
from sr.measure.quality import evaluate

Outcome = Callable[..., Trial]
SMALL = repeated(8, "branched_conv", 1)


@pytest.fixture
def long(setup: Setup) -> Setup:
    return replace(setup, recipe=replace(setup.recipe, steps=64))


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    torch.manual_seed(2)
    return Supernet(MSRRESNET_SPACE, 12, 2).eval()


def test_rungs_of_each_fidelity_are_those_by_hand(long: Setup, tmp_path: Path, supernet: Supernet) -> None:
    steps = {
        each.fidelity: [each.steps(rung) for rung in range(each.ladder.top + 1)]
        for each in (
            fidelity_schedule("rungs", long, tmp_path),
            fidelity_schedule("train", long, tmp_path),
            fidelity_schedule("supernet", long, tmp_path, supernet),
        )
    }
    assert steps == {"rungs": [4, 16, 64], "train": [64], "supernet": [0, 64]}


def test_first_rung_of_too_few_steps_is_left_out(long: Setup, tmp_path: Path) -> None:
    for fewest, steps in ((4, (4, 16, 64)), (5, (16, 64)), (60, (16, 64))):
        rungs = fidelity_schedule("rungs", long, tmp_path, fewest_first_steps=fewest)
        assert rungs.ladder.steps == steps
        assert fidelity_schedule("train", long, tmp_path, fewest_first_steps=fewest).ladder.steps == (64,)


def test_too_few_steps_for_the_rungs_are_refused(setup: Setup, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"each rung must take more steps than the one before, got \[0, 1, 4\]"):
        fidelity_schedule("rungs", setup, tmp_path)


def test_the_best_design_trains_on_in_the_form_that_trains_better_and_in_larger_sizes(
    long: Setup, tmp_path: Path, outcome: Outcome
) -> None:
    schedule = fidelity_schedule("rungs", long, tmp_path)
    rungs = (Rung(4, 25.0, 1.0), Rung(16, 26.0, 1.0), Rung(64, 27.0, 1.0))
    best = replace(outcome(0, repeated(8, "residual_leaky", 2)), rungs=rungs)
    others = {
        "larger": repeated(8, "residual_leaky", 3),
        "better": repeated(8, "symmetric_residual", 2),
        "smaller": repeated(8, "residual_leaky", 1),
        "other": repeated(8, "idle", 3),
    }
    for name, architecture in others.items():
        other = replace(outcome(1, architecture), rungs=(Rung(4, 20.0, 1.0),))
        wanted = architecture.key if name in ("larger", "better") else None
        assert schedule.promoted([best, other], ()) == wanted, name


def test_training_from_scratch_inherits_nothing(long: Setup, tmp_path: Path) -> None:
    plain = fidelity_schedule("rungs", long, tmp_path)
    task = plain.task(SMALL, 1)
    assert task.goal is not None
    assert (task.initial, task.goal.rung, task.goal.ladder.steps) == (None, 1, (4, 16, 64))
    assert (plain.begins_with_score, plain.why_untrainable(repeated(64, "branched_conv", 16))) == (False, "")


def test_score_is_that_of_the_weights_that_training_starts_from(
    long: Setup, tmp_path: Path, supernet: Supernet
) -> None:
    scored = fidelity_schedule("supernet", long, tmp_path, supernet)
    assert scored.begins_with_score
    result = WorkerState(long).score(scored.score_task(SMALL))
    task = scored.task(SMALL, 1)
    assert task.goal is not None
    assert task.goal.rung == 0
    assert task.initial is not None
    assert result.quality == score(supernet, SMALL, long.val, long.target.device)
    assert result.quality == evaluate(load_network(task.initial), long.val, long.target.device, with_ssim=False)


def test_rungs_may_start_from_a_supernet_too(long: Setup, tmp_path: Path, supernet: Supernet) -> None:
    warm = fidelity_schedule("rungs", long, tmp_path, supernet)
    assert not warm.begins_with_score
    initial = warm.task(SMALL, 0).initial
    assert initial == tmp_path / f"{SMALL.key}.inherited.pth"
    assert initial.exists()


def test_teacher_goes_with_every_task(long: Setup, tmp_path: Path) -> None:
    distilling = replace(long, recipe=replace(long.recipe, distillation=0.5))
    taught = fidelity_schedule("rungs", distilling, tmp_path, teacher=tmp_path / "teacher.pth")
    assert {taught.task(SMALL, rung).teacher for rung in range(3)} == {tmp_path / "teacher.pth"}


def test_architecture_wider_or_deeper_than_the_supernet_is_untrainable(
    long: Setup, tmp_path: Path, supernet: Supernet
) -> None:
    scored = fidelity_schedule("supernet", long, tmp_path, supernet)
    wide, deep = repeated(16, "branched_conv", 1), repeated(8, "branched_conv", 3)
    assert scored.why_untrainable(SMALL) == ""
    assert "num_feat is at most 12" in scored.why_untrainable(wide)
    assert "it has at most 2 blocks" in scored.why_untrainable(deep)
    assert [scored.is_trainable(each) for each in (SMALL, wide, deep)] == [True, False, False]


def test_best_that_is_not_running_is_promoted(long: Setup, tmp_path: Path, outcome: Outcome) -> None:
    plain = fidelity_schedule("rungs", long, tmp_path)
    trials = [
        replace(outcome(number, repeated(8, "idle", number + 1)), rungs=(Rung(4, 20.0 + number, 1.0),))
        for number in range(8)
    ]
    best, second = (trials[number].architecture.key for number in (7, 6))
    assert plain.promoted(trials, set()) == best
    other = plain.promoted(trials, {best})
    assert other is not None
    assert other != best
    assert plain.promoted(trials, {best, other}) is None
    # By another score it is another one.
    assert plain.promoted(trials, set(), lambda candidate, _: float(candidate.key == second)) == second
    copies = [replace(trial, number=10 + trial.number, duplicate_of=trial.number) for trial in trials]
    assert plain.promoted([trials[0], *copies], set()) is None


def test_candidate_that_failed_on_a_rung_is_not_promoted_again(long: Setup, tmp_path: Path, outcome: Outcome) -> None:
    plain = fidelity_schedule("rungs", long, tmp_path)
    trials = [
        replace(outcome(number, repeated(8, "idle", number + 1)), rungs=(Rung(4, 20.0 - number, 1.0),))
        for number in range(4)
    ]
    best = trials[0].architecture.key
    assert plain.promoted(trials, set()) == best
    assert plain.promoted(trials, {best}) is None
    assert plain.promoted([replace(trials[0], reason="the loss is nan"), *trials[1:]], set()) is None


def test_weights_that_nobody_will_need_are_removed(long: Setup, tmp_path: Path, outcome: Outcome) -> None:
    """Those of few candidates may all be needed, but for one that failed."""
    plain = fidelity_schedule("rungs", long, tmp_path)
    trials = []
    for number, width in enumerate((8, 12, 16, 20, 24)):
        trial = outcome(number, repeated(width, "branched_conv", 1))
        trial = replace(trial, rungs=(Rung(4, 20.0 - number, 1.0),))
        trials.append(trial)
        for name in (f"{trial.architecture.key}.pth", f"{trial.architecture.key}.inherited.pth"):
            (tmp_path / name).write_bytes(b"")
    last = trials[-1].architecture.key
    plain.remove_stale_weights(trials[:4], set())
    assert len(list(tmp_path.iterdir())) == 10
    failed = [replace(trial, reason="diverged") if trial is trials[-1] else trial for trial in trials]
    plain.remove_stale_weights(failed, set())
    assert {path.name.partition(".")[0] for path in tmp_path.iterdir()} == {
        trial.architecture.key for trial in trials[:4]
    }
    assert not list(tmp_path.glob(f"{last}*"))


def test_weights_in_a_bucket_are_put_there_removed_and_fetched(
    long: Setup, tmp_path: Path, supernet: Supernet, outcome: Outcome
) -> None:
    bucket = Bucket(f"file://{tmp_path / 'bucket'}")
    bucket.mark()
    scored = fidelity_schedule("supernet", long, tmp_path / "here", supernet, bucket=bucket)
    inherited = scored.score_task(SMALL).weights.name
    assert bucket.holds(inherited)
    (tmp_path / "here" / inherited).unlink()
    trial = replace(outcome(0, SMALL), rungs=(Rung(0, 20.0, 1.0),))
    scored.fetch_weights([trial])
    assert (tmp_path / "here" / inherited).exists()
    scored.remove_stale_weights([trial], {SMALL.key})
    assert bucket.holds(inherited)
    # Scored and no more: the supernet has its weights.
    scored.remove_stale_weights([trial], set())
    assert not bucket.holds(inherited)
    assert not (tmp_path / "here" / inherited).exists()
