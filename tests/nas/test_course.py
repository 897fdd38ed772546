"""The course of a candidate: which rungs there are, what each starts from, and who goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.course import as_candidate, course
from nas.evaluate import Setup
from nas.rungs import Rung
from nas.trial import Trial
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.supernet import Supernet
from sr.checkpoint import load_network
from sr.errors import InputError
from sr.quality import evaluate

Outcome = Callable[..., Trial]
SMALL = repeated(8, "branched_conv", 1)


@pytest.fixture
def long(setup: Setup) -> Setup:
    return replace(setup, recipe=replace(setup.recipe, steps=64))


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    torch.manual_seed(2)
    return Supernet(MSRRESNET_SPACE, 12, 2).eval()


def test_the_rungs_of_each_kind(long: Setup, tmp_path: Path, supernet: Supernet) -> None:
    steps = {
        kind: [each.steps(rung) for rung in range(each.ladder.top + 1)]
        for kind in ("rungs", "train", "supernet")
        for each in [course(kind, long, tmp_path, supernet if kind == "supernet" else None)]
    }
    assert steps == {"rungs": [4, 16, 64], "train": [64], "supernet": [0, 64]}


def test_a_first_rung_that_says_nothing_is_left_out(
    long: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for fewest, steps in ((4, (4, 16, 64)), (5, (16, 64)), (60, (16, 64))):
        monkeypatch.setattr("nas.course.FEWEST_FIRST_STEPS", fewest)
        assert course("rungs", long, tmp_path).ladder.steps == steps
        assert course("train", long, tmp_path).ladder.steps == (64,)


def test_too_few_steps_for_the_rungs_are_refused(setup: Setup, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"each rung must take more steps than the one before, got \[0, 1, 4\]"):
        course("rungs", setup, tmp_path)


def test_a_training_from_scratch_inherits_nothing(long: Setup, tmp_path: Path) -> None:
    plain = course("rungs", long, tmp_path)
    job = plain.job(SMALL, 1)
    assert job.climb is not None
    assert (job.initial, job.climb.rung, job.climb.ladder.steps) == (None, 1, (4, 16, 64))
    assert (plain.scores, plain.outside(repeated(64, "branched_conv", 16))) == (False, "")


def test_a_score_is_that_of_the_weights_that_training_starts_from(
    long: Setup, tmp_path: Path, supernet: Supernet
) -> None:
    scored = course("supernet", long, tmp_path, supernet)
    result = scored.score(SMALL)
    job = scored.job(SMALL, 1)
    assert job.climb is not None
    assert job.climb.rung == 0
    assert job.initial is not None
    assert result.quality == evaluate(load_network(job.initial), long.val, long.device, with_ssim=False)


def test_rungs_may_start_from_a_supernet_too(long: Setup, tmp_path: Path, supernet: Supernet) -> None:
    warm = course("rungs", long, tmp_path, supernet)
    assert not warm.scores
    initial = warm.job(SMALL, 0).initial
    assert initial == tmp_path / f"{SMALL.key}.inherited.pth"
    assert initial.exists()


def test_what_is_wider_or_deeper_than_the_supernet_is_outside(long: Setup, tmp_path: Path, supernet: Supernet) -> None:
    scored = course("supernet", long, tmp_path, supernet)
    assert scored.outside(SMALL) == ""
    assert "num_feat is at most 12" in scored.outside(repeated(16, "branched_conv", 1))
    assert "it has at most 2 blocks" in scored.outside(repeated(8, "branched_conv", 3))


def test_the_best_that_is_not_under_way_is_promoted(long: Setup, tmp_path: Path, outcome: Outcome) -> None:
    plain = course("rungs", long, tmp_path)
    trials = [
        replace(outcome(number, repeated(8, "idle", number + 1)), rungs=(Rung(4, 20.0 + number, 1.0),))
        for number in range(8)
    ]
    best, second = (trials[number].architecture.key for number in (7, 6))
    assert plain.promoted(trials, set()) == best
    other = plain.promoted(trials, {best})
    assert other not in (None, best)
    assert plain.promoted(trials, {best, other}) is None  # type: ignore[arg-type]
    # By another rating it is another one.
    assert plain.promoted(trials, set(), lambda candidate, _: float(candidate.key == second)) == second
    copies = [replace(trial, number=10 + trial.number, duplicate_of=trial.number) for trial in trials]
    assert plain.promoted([trials[0], *copies], set()) is None


def test_who_failed_on_a_rung_is_not_promoted_again(outcome: Outcome) -> None:
    trial = replace(outcome(0, SMALL), rungs=(Rung(4, 20.0, 1.0),))
    assert as_candidate(trial, set()).state == "waiting"
    assert as_candidate(trial, {trial.architecture.key}).state == "training"
    failed = as_candidate(replace(trial, reason="the loss is nan"), set())
    assert failed.state == "failed"
    assert failed.promoted_from(0)


def test_weights_that_nobody_will_need_are_removed(long: Setup, tmp_path: Path, outcome: Outcome) -> None:
    """Those of few candidates may all be needed, but for one that failed."""
    tidied = course("rungs", long, tmp_path)
    trials = []
    for number, width in enumerate((8, 12, 16, 20, 24)):
        trial = outcome(number, repeated(width, "branched_conv", 1))
        trial = replace(trial, rungs=(Rung(4, 20.0 - number, 1.0),))
        trials.append(trial)
        for name in (f"{trial.architecture.key}.pth", f"{trial.architecture.key}.inherited.pth"):
            (tmp_path / name).write_bytes(b"")
    last = trials[-1].architecture.key
    tidied.tidy(trials[:4], set())
    assert len(list(tmp_path.iterdir())) == 10
    tidied.tidy([replace(trial, reason="diverged") if trial is trials[-1] else trial for trial in trials], set())
    assert {path.name.partition(".")[0] for path in tmp_path.iterdir()} == {
        trial.architecture.key for trial in trials[:4]
    }
    assert not list(tmp_path.glob(f"{last}*"))
