"""Trainings on a cluster give what they give in this process, and a node that lacks the weights says so."""

import socket
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.evaluate import Setup
from nas.successive_halving import Ladder
from nas.training.executor import executor, outcome
from nas.training.on_cluster import DeviceLocks, StoredPairs, _begun, _Stored, without_pictures
from nas.training.rung_training import weights_path
from nas.training.task import RungGoal, TrainingTask
from nas.training.worker_state import WorkerState
from search_spaces.msrresnet import repeated
from sr.checkpoint import load
from sr.errors import InputError

pytestmark = pytest.mark.numeric

TINY = repeated(8, "branched_conv", 1)
STEPS = Ladder((3, 6), 2)


def test_stored_pairs_are_the_pairs(tiny: Setup) -> None:
    again = StoredPairs.of(tiny.train).pairs()
    assert again.names == tiny.train.names
    for index in range(len(again)):
        assert all(map(torch.equal, again.pair(index), tiny.train.pair(index)))


def test_pairs_of_another_scale_keep_it_on_their_way(setup_at_x2: Setup) -> None:
    assert StoredPairs.of(setup_at_x2.val).pairs().scale == 2
    assert without_pictures(setup_at_x2).scale == 2


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
    expected = [WorkerState(tiny).train(task) for task in tasks(here)]
    assert [result.quality for result in results] == [result.quality for result in expected]
    assert all(result.seconds > 0 and not result.reason for result in results)
    ours, theirs = (load(weights_path(folder, TINY.key)).tensors for folder in (there, here))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_node_that_does_not_see_the_weights_says_what_to_give(tiny: Setup, tmp_path: Path) -> None:
    pairs = StoredPairs.of(tiny.train)
    locks = DeviceLocks("elsewhere", tempfile.gettempdir())
    stored = _Stored(without_pictures(tiny), pairs, pairs, tmp_path / "gone" / "token", locks)
    with pytest.raises(InputError, match=rf"^node {socket.gethostname()} does not see .*gone; give --artifacts a"):
        _begun(stored)


def test_without_a_cluster_somebody_says_how_many_train(tiny: Setup) -> None:
    with pytest.raises(InputError, match=r"^--workers must be a number"):
        executor(None, tiny)
