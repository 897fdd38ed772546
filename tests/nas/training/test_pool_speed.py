"""How many train at once: the best of measured speeds by hand, and a measurement."""

import copy
import resource
import signal
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch

from nas.evaluate import Setup
from nas.training.executor import executor
from nas.training.pool_speed import PoolSpeeds, _sizes, measure_pool_speeds
from search_spaces.msrresnet import repeated
from sr.errors import InputError

TINY = repeated(8, "branched_conv", 1)


@pytest.fixture(autouse=True)
def _short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks how fast a pool is."""
    monkeypatch.setattr("nas.training.pool_speed._ROUND_SECONDS", 0.0)


def test_on_a_cpu_no_more_workers_than_threads_are_tried(tiny: Setup) -> None:
    """The recipe distils, and yet no teacher is asked for."""
    assert torch.get_num_threads() == 1
    speeds = measure_pool_speeds(replace(tiny, recipe=replace(tiny.recipe, distillation=0.5)), TINY, 8)
    assert list(speeds.steps_per_second) == [1]
    assert speeds.steps_per_second[1] > 0
    assert speeds.best == 1
    assert speeds.describe() == f"candidates train one at a time: {speeds.steps_per_second[1]:.1f} steps/s alone"


def test_shared_memory_without_room_for_the_pictures_leaves_one_at_a_time(
    tiny: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose /dev/shm is smaller: the system refuses longer files there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    # Two really at work would wait for each other on cores that other tests use.
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    # Those that tests share may lie in shared memory by now.
    own = replace(tiny, train=copy.deepcopy(tiny.train), val=copy.deepcopy(tiny.val))
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        speeds = measure_pool_speeds(own, TINY, 2)
        with pytest.raises(InputError, match="more than the system's shared memory has left; enlarge it or train one"):
            executor(2, own)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert speeds.best == 1
    assert speeds.describe().endswith("no room for 2")


def test_pool_of_no_worker_is_refused(tiny: Setup) -> None:
    with pytest.raises(InputError, match="at least 1 worker trains, got 0"):
        measure_pool_speeds(tiny, TINY, 0)


# To see them tried would take as many processes.
@pytest.mark.parametrize(("most", "expected"), [(1, [1]), (2, [1, 2]), (3, [1, 2]), (4, [1, 2, 4]), (9, [1, 2, 4, 8])])
def test_sizes_that_are_tried_are_powers_of_two(most: int, expected: list[int]) -> None:
    assert _sizes(most) == expected


@pytest.mark.parametrize(
    ("speeds", "best", "words"),
    [
        ({1: 20.0, 2: 21.0}, 1, "candidates train one at a time: 20.0 steps/s alone, 21.0 by 2 (1.05 times)"),
        ({1: 20.0, 2: 0.0}, 1, "candidates train one at a time: 20.0 steps/s alone, no room for 2"),
        (
            {1: 20.0, 2: 30.0, 4: 32.0},
            2,
            "candidates train 2 at once: 20.0 steps/s alone, 30.0 by 2 (1.50 times), 32.0 by 4 (1.60 times)",
        ),
        ({1: 20.0, 2: 23.0}, 2, "candidates train 2 at once: 20.0 steps/s alone, 23.0 by 2 (1.15 times)"),
        ({1: 20.0, 2: 20.0, 4: 80.0}, 1, None),
        (
            {7: 70.0, 14: 98.0, 28: 0.0},
            14,
            "candidates train 14 at once: 70.0 steps/s by 7, 98.0 by 14 (1.40 times), no room for 28",
        ),
    ],
)
def test_best_size_of_measured_speeds_is_that_by_hand(
    speeds: Mapping[int, float], best: int, words: str | None
) -> None:
    assert PoolSpeeds(speeds).best == best
    if words is not None:
        assert PoolSpeeds(speeds).describe() == words
