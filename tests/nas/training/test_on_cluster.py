"""Trainings on a cluster give what they give in this process, and a node that lacks the weights says so."""

import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.bucket import Bucket
from nas.evaluate import Setup
from nas.successive_halving import Ladder
from nas.training.cluster_room import WholeWorkers, whole_workers
from nas.training.executor import executor, outcome
from nas.training.on_cluster import DeviceLocks, _begun, _label, _Stored
from nas.training.pool_speed import measure_cluster_speeds
from nas.training.rung_training import weights_path
from nas.training.stored_pictures import StoredPairs, without_pictures
from nas.training.task import RungGoal, ScoreTask, TrainingTask
from nas.training.worker_state import WorkerState
from search_spaces.msrresnet import repeated
from sr.checkpoint import load
from sr.errors import InputError

TINY = repeated(8, "branched_conv", 1)
STEPS = Ladder((3, 6), 2)
# No test waits so long: it is there for a machine that does much else.
PATIENCE_SECONDS = 120.0


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def lie_in_shared_memory(state: WorkerState) -> bool:
    """Return whether a worker's pictures lie where all workers of its node read them."""
    address = state.setup.train.lr.values.data_ptr()
    for line in Path("/proc/self/maps").read_text().splitlines():
        low, high = (int(end, 16) for end in line.split()[0].split("-"))
        if low <= address < high:
            return "plasma" in line
    return False


@pytest.mark.usefixtures("cluster")
def test_tasks_give_what_they_give_in_this_process_bit_for_bit(tiny: Setup, tmp_path: Path) -> None:
    def tasks(folder: Path) -> list[TrainingTask]:
        goal = RungGoal(1, STEPS, folder)
        return [TrainingTask(TINY, tiny.recipe, goal), TrainingTask(TINY, replace(tiny.recipe, seed=1))]

    there, here = tmp_path / "there", tmp_path / "here"
    with executor(2, tiny, on_cluster=there) as workers:
        assert workers.workers == 2
        futures = [workers.submit(WorkerState.train, task) for task in tasks(there)]
        results = [outcome(future) for future in futures]
        if sys.platform == "linux":
            assert all(workers.everywhere(lie_in_shared_memory))
        wait_until(lambda: not whole_workers(tiny).are_free)
        # As where another search trains on all of it.
        assert measure_cluster_speeds(tiny, TINY, there) is None
    expected = [WorkerState(tiny).train(task) for task in tasks(here)]
    assert [result.quality for result in results] == [result.quality for result in expected]
    assert all(result.seconds > 0 and not result.reason for result in results)
    ours, theirs = (load(weights_path(folder, TINY.key)).tensors for folder in (there, here))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.usefixtures("cluster")
def test_weights_in_a_bucket_are_left_there_by_workers(tiny: Setup, tmp_path: Path) -> None:
    bucket = Bucket(f"file://{tmp_path / 'bucket'}")
    task = TrainingTask(TINY, tiny.recipe, RungGoal(0, STEPS, tmp_path / "nowhere"))
    # Of two each has one thread, as this process.
    with executor(2, tiny, on_cluster=bucket) as workers:
        result = outcome(workers.submit(WorkerState.train, task))
    assert result.quality == WorkerState(tiny).train(replace(task, goal=RungGoal(0, STEPS, tmp_path / "here"))).quality
    assert bucket.holds(weights_path(tmp_path, TINY.key).name)


@pytest.mark.usefixtures("cluster")
def test_how_many_at_once_are_fastest_is_measured_on_the_nodes(tiny: Setup, tmp_path: Path) -> None:
    # What workers gave back, and what they took, is known a moment later.
    wait_until(lambda: whole_workers(tiny).are_free)
    assert whole_workers(tiny) == WholeWorkers(1, 2, are_free=True)
    speeds = measure_cluster_speeds(tiny, TINY, tmp_path)
    assert speeds is not None
    assert list(speeds.steps_per_second) == [1, 2]
    assert min(speeds.steps_per_second.values()) > 0


def test_work_is_named_for_whoever_looks_at_the_dashboard(tiny: Setup, tmp_path: Path) -> None:
    task = TrainingTask(TINY, tiny.recipe, RungGoal(1, STEPS, tmp_path))
    assert _label(WorkerState.train, task) == f"train {TINY.summary} to 6 steps"
    assert _label(WorkerState.train, replace(task, goal=None)) == f"train {TINY.summary} to 4 steps"
    assert _label(WorkerState.score, ScoreTask(TINY, tmp_path)) == f"score {TINY.summary}"
    assert _label(WorkerState.take_steps, 2) == "WorkerState.take_steps"


def test_a_node_that_does_not_see_the_weights_says_what_to_give(tiny: Setup, tmp_path: Path) -> None:
    pairs, node = StoredPairs.of(tiny.train), socket.gethostname()
    locks = DeviceLocks("elsewhere", tempfile.gettempdir())
    for weights, said in (
        (tmp_path / "gone" / "token", r"does not see .*gone; give --artifacts a folder"),
        # A folder of the node's own that has the same URL.
        (
            Bucket(f"file://{tmp_path / 'another'}"),
            r"file://.*another is another place there; give --artifacts a bucket",
        ),
        (Bucket("nothing://bucket"), r"--artifacts nothing://bucket cannot be reached: "),
    ):
        stored = _Stored(without_pictures(tiny), pairs, pairs, weights, locks)
        with pytest.raises(InputError, match=rf"^node {node}:? {said}"):
            _begun(stored)


def test_without_a_cluster_somebody_says_how_many_train(tiny: Setup) -> None:
    with pytest.raises(InputError, match=r"^--workers must be a number"):
        executor(None, tiny)
