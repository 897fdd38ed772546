"""Trainings give the same wherever they are done, wait for whoever measures, and fail alone."""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.evaluate import Setup
from nas.successive_halving import Ladder
from nas.training.executor import executor, outcome
from nas.training.rung_training import weights_path
from nas.training.task import RungGoal, TrainingResult, TrainingTask
from nas.training.worker_state import WorkerState
from search_spaces.msrresnet import repeated
from sr.checkpoint import load
from sr.errors import InputError
from sr.executors.executor import Executor
from sr.executors.in_process import InThisProcess
from sr.measure.device_lock import measuring_on

TINY = repeated(8, "branched_conv", 1)
STEPS = Ladder((3, 6, 12), 2)
# No test waits so long: it is there for a machine that does much else.
PATIENCE_SECONDS = 120.0


@pytest.fixture(scope="module", params=[1, 2])
def workers(request: pytest.FixtureRequest, tiny: Setup) -> Iterator[Executor[WorkerState]]:
    with executor(request.param, tiny) as made:
        made.start()
        yield made


def direct(setup: Setup, task: TrainingTask) -> TrainingResult:
    """Return what a task comes to where no executor is between."""
    return WorkerState(setup).train(task)


@pytest.mark.numeric
def test_tasks_give_what_they_give_without_an_executor_bit_for_bit(
    workers: Executor[WorkerState], tiny: Setup, tmp_path: Path
) -> None:
    teacher = tmp_path / "teacher"
    assert direct(tiny, TrainingTask(TINY, tiny.recipe, RungGoal(0, STEPS, teacher))).quality is not None
    weights = weights_path(teacher, TINY.key)

    def tasks(folder: Path) -> list[TrainingTask]:
        return [
            TrainingTask(TINY, tiny.recipe),
            TrainingTask(TINY, replace(tiny.recipe, seed=1)),
            TrainingTask(TINY, tiny.recipe, RungGoal(1, STEPS, folder / "plain")),
            TrainingTask(TINY, tiny.recipe, RungGoal(0, STEPS, folder / "initial"), initial=weights),
            TrainingTask(TINY, replace(tiny.recipe, distillation=0.5), teacher=weights),
        ]

    futures = [workers.submit(WorkerState.train, task) for task in tasks(tmp_path / "executor")]
    expected = [direct(tiny, task) for task in tasks(tmp_path / "direct")]
    results = [future.result() for future in futures]
    assert [result.quality for result in results] == [result.quality for result in expected]
    assert len({result.quality.psnr for result in results if result.quality is not None}) == len(results)
    assert all(result.seconds > 0 and not result.reason for result in results)
    for name in ("plain", "initial"):
        ours, theirs = (
            load(weights_path(tmp_path / where / name, TINY.key)).tensors for where in ("executor", "direct")
        )
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_training_that_fails_is_a_result(workers: Executor[WorkerState], tiny: Setup) -> None:
    wild = replace(tiny.recipe, learning_rate=1e30, warmup_steps=0, clip_norm=0.0, steps=40)
    result = workers.submit(WorkerState.train, TrainingTask(TINY, wild)).result()
    assert result.quality is None
    assert "the loss is" in result.reason
    assert "\n" not in result.reason


def test_bad_input_is_an_error_of_the_future(workers: Executor[WorkerState], tiny: Setup, tmp_path: Path) -> None:
    task = TrainingTask(TINY, tiny.recipe, RungGoal(0, STEPS, tmp_path))
    assert workers.submit(WorkerState.train, task).result().quality is not None
    other = workers.submit(WorkerState.train, replace(task, recipe=replace(tiny.recipe, batch=3)))
    with pytest.raises(InputError, match="was trained by another recipe; remove it"):
        other.result()
    missing = workers.submit(WorkerState.train, TrainingTask(TINY, tiny.recipe, initial=tmp_path / "missing.pth"))
    with pytest.raises(InputError, match="no checkpoint at"):
        missing.result()


def test_steps_of_a_training_are_taken_by_every_worker(workers: Executor[WorkerState], tiny: Setup) -> None:
    assert workers.everywhere(WorkerState.warm_up, TINY, tiny.recipe) == [None] * workers.workers
    assert workers.everywhere(WorkerState.take_steps, 2) == [None] * workers.workers


def test_nothing_trains_while_somebody_measures_and_a_killed_worker_fails_its_training(
    workers: Executor[WorkerState], tiny: Setup, tmp_path: Path
) -> None:
    if isinstance(workers, InThisProcess):
        pytest.skip("in this process whoever measures submits nothing meanwhile, and one that is killed is this one")
    with measuring_on(tiny.target.device):
        future = workers.submit(WorkerState.train, TrainingTask(TINY, tiny.recipe))
        with pytest.raises(TimeoutError):
            future.result(timeout=0.5)
    assert future.result(PATIENCE_SECONDS).quality is not None
    endless = RungGoal(1, Ladder((2, 10_000_000), 2), tmp_path)
    killed = workers.submit(WorkerState.train, TrainingTask(TINY, tiny.recipe, endless))
    wait_until(weights_path(tmp_path, TINY.key).exists)
    for child in multiprocessing.active_children():
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid or 0, 9)
    wait([killed], PATIENCE_SECONDS)
    result = outcome(killed)
    assert result.quality is None
    assert result.reason.startswith("a process that trained was killed")


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_one_worker_is_this_process_and_none_is_refused(tiny: Setup) -> None:
    assert isinstance(executor(1, tiny), InThisProcess)
    with pytest.raises(InputError, match="--workers must be at least 1, got 0"):
        executor(0, tiny)
