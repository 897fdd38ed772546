"""Processes that train: they wait while somebody measures, and one that dies takes no other's work with it."""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED
from concurrent.futures import wait as wait_for
from pathlib import Path

import pytest

from nas.evaluate import Setup
from nas.successive_halving import Ladder
from nas.training.executor import InProcessExecutor
from nas.training.rung_training import weights_path
from nas.training.task import RungGoal, TrainingTask
from nas.training.worker_pool import WorkerPool, executor
from search_spaces.msrresnet import repeated
from sr.errors import InputError
from sr.measure.device_lock import measuring_on

TINY = repeated(8, "branched_conv", 1)
# No test waits so long: it is there for a machine that does much else.
PATIENCE_SECONDS = 120.0


def processes() -> set[int]:
    """Return the processes that this one started."""
    return {child.pid for child in multiprocessing.active_children() if child.pid is not None}


def endless(setup: Setup, folder: Path) -> TrainingTask:
    return TrainingTask(TINY, setup.recipe, RungGoal(1, Ladder((2, 10_000_000), 2), folder))


def is_under_way(task: TrainingTask) -> bool:
    """Return whether an endless task left its first rung behind."""
    return task.goal is not None and weights_path(task.goal.folder, task.architecture.key).exists()


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def before() -> set[int]:
    return processes()


@pytest.fixture(scope="module")
def pair(before: set[int], tiny: Setup, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerPool]:
    """Two processes, which a Ctrl-C in the midst of a training ends, so that each is started once."""
    with contextlib.suppress(KeyboardInterrupt), WorkerPool(2, tiny) as pool:
        pool.start()
        yield pool
        interrupted = endless(tiny, tmp_path_factory.mktemp("interrupted"))
        pool.submit(interrupted)
        wait_until(lambda: is_under_way(interrupted))
        raise KeyboardInterrupt
    assert processes() <= before


def test_nothing_trains_while_somebody_measures(pair: WorkerPool, tiny: Setup) -> None:
    with measuring_on(tiny.target.device):
        futures = [pair.submit(TrainingTask(TINY, tiny.recipe)) for _ in range(2)]
        with pytest.raises(TimeoutError):
            futures[0].result(timeout=0.5)
        assert not futures[1].done()
    qualities = {future.result(timeout=PATIENCE_SECONDS).quality for future in futures}
    assert len(qualities) == 1
    assert None not in qualities


def test_killed_worker_fails_its_task_alone(pair: WorkerPool, before: set[int], tiny: Setup, tmp_path: Path) -> None:
    tasks = [endless(tiny, tmp_path / name) for name in ("one", "other")]
    futures = [pair.submit(task) for task in tasks]
    wait_until(lambda: all(map(is_under_way, tasks)))
    killed, spared = processes() - before
    os.kill(killed, 9)
    done, going_on = wait_for(futures, timeout=PATIENCE_SECONDS, return_when=FIRST_COMPLETED)
    (result,) = (future.result() for future in done)
    assert result.quality is None
    assert result.reason.startswith("the process that trained it was killed")
    assert result.seconds > 0
    # Another process takes its place for the next task, while the other one goes on.
    qualities = {pair.submit(TrainingTask(TINY, tiny.recipe)).result(timeout=PATIENCE_SECONDS).quality}
    assert None not in qualities
    (other,) = going_on
    assert not other.done()
    assert spared in processes()
    assert killed not in processes()
    assert len(processes() - before) == 2
    os.kill(spared, 9)
    assert other.result(timeout=PATIENCE_SECONDS).quality is None


def test_executor_of_one_worker_is_this_process_and_of_none_is_refused(tiny: Setup) -> None:
    assert isinstance(executor(1, tiny), InProcessExecutor)
    with pytest.raises(InputError, match="--workers must be at least 1, got 0"):
        executor(0, tiny)
