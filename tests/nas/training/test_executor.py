"""What every executor keeps to, each by the same tests; and what only the one in this process does."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.evaluate import Setup
from nas.successive_halving import Ladder
from nas.training.executor import Executor, InProcessExecutor
from nas.training.rung_training import weights_path
from nas.training.task import RungGoal, TrainingResult, TrainingTask
from nas.training.worker_pool import WorkerPool
from nas.training.worker_state import WorkerState
from search_spaces.msrresnet import repeated
from sr.checkpoint import load
from sr.errors import InputError

pytestmark = pytest.mark.numeric

TINY = repeated(8, "branched_conv", 1)
STEPS = Ladder((3, 6, 12), 2)
EXECUTORS: Mapping[str, Callable[[Setup], Executor]] = {
    "in_process": InProcessExecutor,
    "pool_of_two": lambda setup: WorkerPool(2, setup),
}


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request: pytest.FixtureRequest, tiny: Setup) -> Iterator[Executor]:
    with EXECUTORS[request.param](tiny) as made:
        yield made


def direct(setup: Setup, task: TrainingTask) -> TrainingResult:
    """Return what a task comes to where no executor is between."""
    return WorkerState(setup).train(task)


def test_tasks_give_what_they_give_without_an_executor_bit_for_bit(
    executor: Executor, tiny: Setup, tmp_path: Path
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

    futures = [executor.submit(task) for task in tasks(tmp_path / "executor")]
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


def test_training_that_fails_is_a_result(executor: Executor, tiny: Setup) -> None:
    wild = replace(tiny.recipe, learning_rate=1e30, warmup_steps=0, clip_norm=0.0, steps=40)
    result = executor.submit(TrainingTask(TINY, wild)).result()
    assert result.quality is None
    assert "the loss is" in result.reason
    assert "\n" not in result.reason


def test_bad_input_is_an_error_of_the_future(executor: Executor, tiny: Setup, tmp_path: Path) -> None:
    task = TrainingTask(TINY, tiny.recipe, RungGoal(0, STEPS, tmp_path))
    assert executor.submit(task).result().quality is not None
    other = executor.submit(replace(task, recipe=replace(tiny.recipe, batch=3)))
    with pytest.raises(InputError, match="was trained by another recipe; remove it"):
        other.result()
    missing = executor.submit(TrainingTask(TINY, tiny.recipe, initial=tmp_path / "missing.pth"))
    with pytest.raises(InputError, match="no checkpoint at"):
        missing.result()


def test_outcomes_of_work_for_many_items_come_in_their_order(executor: Executor, tiny: Setup) -> None:
    tasks = [TrainingTask(TINY, replace(tiny.recipe, seed=seed, steps=12 - 4 * (seed % 3))) for seed in range(4)]
    qualities = [result.quality for result in executor.in_order(WorkerState.train, tasks)]
    assert qualities == [direct(tiny, task).quality for task in tasks]
    missing = TrainingTask(TINY, tiny.recipe, initial=Path("missing.pth"))
    with pytest.raises(InputError, match="no checkpoint at"):
        list(executor.in_order(WorkerState.train, [tasks[0], missing]))


def test_work_everywhere_is_done_once_by_each_started_worker(executor: Executor, tiny: Setup) -> None:
    executor.start()
    assert executor.everywhere(WorkerState.warm_up, TINY, tiny.recipe) == [None] * executor.workers
    # What a worker keeps is there for the next piece of work.
    assert executor.everywhere(WorkerState.take_steps, 2) == [None] * executor.workers
    # What is started already stays.
    executor.start()
    assert executor.everywhere(WorkerState.take_steps, steps=1) == [None] * executor.workers


def test_in_process_executor_starts_no_process_and_trains_at_once(tiny: Setup) -> None:
    before = multiprocessing.active_children()
    with InProcessExecutor(tiny) as alone:
        future = alone.submit(TrainingTask(TINY, tiny.recipe))
        assert future.done()
        assert alone.workers == 1
    assert multiprocessing.active_children() == before
