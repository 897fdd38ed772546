"""How many trainings at once are fastest on a device, or on the nodes of a cluster, by measuring."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from nas.bucket import Bucket
from nas.evaluate import Setup
from nas.training.cluster_room import whole_workers
from nas.training.executor import executor
from nas.training.worker_state import WorkerState
from search_spaces.architecture import Architecture
from search_spaces.network import build
from sr.errors import InputError
from sr.executors.executor import Executor, WorkerDiedError
from sr.measure.device_lock import measuring_on
from sr.training.autotune import autotune, seconds_per_step
from sr.training.recipe import Recipe
from sr.training.trainer import TrainingFailedError, failures

# So many trainings fill any device.
MOST_WORKERS = 4
# A larger pool that is not this many times as fast as the one before is not worth its memory.
_GAIN = 1.1
# The speed of a pool is that of its fastest round: a shared machine only ever adds time.
_ROUNDS, _ROUND_SECONDS, _FEWEST_STEPS, _MOST_STEPS = 3, 1.0, 6, 100


@dataclass(frozen=True)
class PoolSpeeds:
    """Steps a second of all trainings together by how many train at once, from few to many; 0 where so many failed."""

    steps_per_second: Mapping[int, float]

    @property
    def best(self) -> int:
        """The size before the first one that is not _GAIN times as fast."""
        best, *larger = sorted(self.steps_per_second)
        for size in larger:
            if self.steps_per_second[size] < _GAIN * self.steps_per_second[best]:
                break
            best = size
        return best

    def describe(self) -> str:
        """Say how many train at once, and the steps a second of every size that was tried."""
        (fewest, slowest), *larger = sorted(self.steps_per_second.items())
        tried = [f"{slowest:.1f} steps/s {'alone' if fewest == 1 else f'by {fewest}'}"]
        for size, steps in larger:
            tried.append(f"{steps:.1f} by {size} ({steps / slowest:.2f} times)" if steps else f"no room for {size}")
        chosen = "one at a time" if self.best == 1 else f"{self.best} at once"
        return f"candidates train {chosen}: {', '.join(tried)}"


def measure_pool_speeds(setup: Setup, architecture: Architecture, most: int = MOST_WORKERS) -> PoolSpeeds:
    """Measure how fast pools of 1, 2, 4, ... up to `most` workers train an architecture, until one is not worth it.

    On a CPU no pool has more workers than this process has threads; of several devices each may have `most`. Start-up
    is not counted.

    Raises:
        InputError: Where `most` is less than 1.
        TrainingFailedError: Where not even one training has room.
    """
    if most < 1:
        raise InputError(f"at least 1 worker trains, got {most}")
    device = setup.target.device
    most_here = min(most, torch.get_num_threads()) if device.type == "cpu" else most * max(1, len(setup.devices))
    return _measured(_sizes(most_here), setup, architecture)


def measure_cluster_speeds(setup: Setup, architecture: Architecture, weights: Bucket | Path) -> PoolSpeeds | None:
    """Measure how fast the connected cluster trains an architecture, one on each GPU or node and then several.

    As `measure_pool_speeds`, up to four on each, on CPUs no more than processors.

    Args:
        setup: What is trained on; its device says whether on GPUs.
        architecture: That every worker trains.
        weights: Where they lie; see `executor`.

    Returns:
        The speeds; None where others use the cluster, so that workers would wait for room, and where one died.

    Raises:
        InputError: Where no node has what they train on now.
        TrainingFailedError: Where a training has no room on a GPU or a node of its own.
    """
    there = whole_workers(setup)
    if not there.are_free:
        return None
    parts = _sizes(min(MOST_WORKERS, there.most_parts))
    try:
        return _measured([there.count * each for each in parts], setup, architecture, weights)
    except WorkerDiedError:
        return None


def _measured(
    sizes: list[int], setup: Setup, architecture: Architecture, on_cluster: Bucket | Path | None = None
) -> PoolSpeeds:
    """Return the speeds of pools of these sizes, until one is not worth it."""
    device, speeds = setup.target.device, dict[int, float]()
    with failures():
        torch.manual_seed(setup.recipe.seed)
        network = build(architecture)
        # A teacher slows pools of all sizes alike.
        recipe = autotune(network, replace(setup.recipe, distillation=0.0), setup.train, device)
        seconds = seconds_per_step(network, recipe, setup.train, device)
    steps = max(_FEWEST_STEPS, min(_MOST_STEPS, round(_ROUND_SECONDS / seconds)))
    for size in sizes:
        try:
            # Within: where a container's shared memory has no room for the pictures, there is none for so many.
            with executor(size, setup, on_cluster) as pool:
                pool.start()
                speeds[size] = _speed(pool, architecture, recipe, steps, device)
        except (InputError, TrainingFailedError):
            # A worker that died too.
            if size == sizes[0]:
                raise
            speeds[size] = 0.0
        if PoolSpeeds(speeds).best != size:
            break
    return PoolSpeeds(speeds)


def _sizes(most: int) -> list[int]:
    """Return the powers of two from 1 to `most`."""
    return [2**power for power in range(most.bit_length())]


def _speed(
    pool: Executor[WorkerState], architecture: Architecture, recipe: Recipe, steps: int, device: torch.device
) -> float:
    """Return the steps a second that started workers take in all, alone on the device, `steps` a worker and round.

    recipe: autotuned. Raises TrainingFailedError where the memory does not suffice, and WorkerDiedError where a
    worker dies.
    """
    pool.everywhere(WorkerState.warm_up, architecture, recipe)
    rounds = []
    with measuring_on(device):
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            pool.everywhere(WorkerState.take_steps, steps)
            rounds.append(time.perf_counter() - began)
    return pool.workers * steps / min(rounds)
