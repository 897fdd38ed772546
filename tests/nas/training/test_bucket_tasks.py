"""Trainings whose weights lie in a bucket give what they give in a folder, rung by rung, and leave it in the bucket."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.bucket import Bucket
from nas.evaluate import Setup
from nas.successive_halving import Ladder
from nas.training.rung_training import weights_path
from nas.training.task import RungGoal, ScoreTask, TrainingTask
from nas.training.worker_state import WorkerState
from search_spaces.msrresnet import repeated
from sr.checkpoint import load

pytestmark = pytest.mark.numeric

TINY = repeated(8, "branched_conv", 1)
STEPS = Ladder((3, 6), 2)


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    made = Bucket(f"file://{tmp_path / 'bucket'}")
    made.mark()
    return made


def test_the_next_rung_goes_on_from_what_another_worker_left(bucket: Bucket, tiny: Setup, tmp_path: Path) -> None:
    def task(rung: int, folder: Path) -> TrainingTask:
        return TrainingTask(TINY, tiny.recipe, RungGoal(rung, STEPS, folder))

    nowhere, here = tmp_path / "nowhere", tmp_path / "here"
    for rung in range(2):
        ours = WorkerState(tiny, bucket).train(task(rung, nowhere))
        assert ours.quality == WorkerState(tiny).train(task(rung, here)).quality is not None
    assert not nowhere.exists()
    name = weights_path(here, TINY.key).name
    theirs, kept = load(here / name), load(bucket.fetch(name, tmp_path / "fetched"))
    assert kept.provenance["ladder"] == [3, 6]
    assert all(torch.equal(theirs.tensors[key], kept.tensors[key]) for key in theirs.tensors)


def test_a_score_and_a_training_find_their_weights_and_their_teacher(
    bucket: Bucket, tiny: Setup, tmp_path: Path
) -> None:
    assert WorkerState(tiny).train(TrainingTask(TINY, tiny.recipe, RungGoal(0, STEPS, tmp_path))).quality is not None
    weights = weights_path(tmp_path, TINY.key)
    bucket.keep(weights)
    distilling = replace(tiny.recipe, distillation=0.5)
    task = TrainingTask(TINY, distilling, initial=weights, teacher=weights)
    score = ScoreTask(TINY, weights)
    # Where they lie here no other machine knows.
    elsewhere = tmp_path / "elsewhere" / weights.name
    ours = WorkerState(tiny, bucket)
    assert ours.score(replace(score, weights=elsewhere)).quality == WorkerState(tiny).score(score).quality
    there = ours.train(replace(task, initial=elsewhere, teacher=elsewhere))
    assert there.quality == WorkerState(tiny).train(task).quality


def test_a_training_that_fails_leaves_nothing(bucket: Bucket, tiny: Setup, tmp_path: Path) -> None:
    wild = replace(tiny.recipe, learning_rate=1e30, warmup_steps=0, clip_norm=0.0, steps=40)
    goal = RungGoal(0, Ladder((20, 40), 2), tmp_path)
    assert WorkerState(tiny, bucket).train(TrainingTask(TINY, wild, goal)).quality is None
    assert not bucket.holds(weights_path(tmp_path, TINY.key).name)
