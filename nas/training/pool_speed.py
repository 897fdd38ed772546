"""How many trainings at once are fastest on a device, by measuring."""

import time
from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

import torch

from nas.evaluate import Setup
from nas.training.executor import Executor
from nas.training.worker_pool import executor
from nas.training.worker_state import WorkerState
from search_spaces.architecture import Architecture
from search_spaces.network import build
from sr.errors import InputError
from sr.measure.device_lock import measuring_on, training_on
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
    """Steps a second of all trainings together by how many train at once, from 1 up; 0 where so many failed."""

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
        alone = self.steps_per_second[1]
        tried = [f"{alone:.1f} steps/s alone"]
        for size, steps in sorted(self.steps_per_second.items())[1:]:
            tried.append(f"{steps:.1f} by {size} ({steps / alone:.2f} times)" if steps else f"no room for {size}")
        chosen = "one at a time" if self.best == 1 else f"{self.best} at once"
        return f"candidates train {chosen}: {', '.join(tried)}"


def measure_pool_speeds(setup: Setup, architecture: Architecture, most: int = MOST_WORKERS) -> PoolSpeeds:
    """Measure how fast pools of 1, 2, 4, ... up to `most` workers train an architecture, until one is not worth it.

    On a CPU no pool has more workers than this process has threads. Start-up is not counted.

    Raises:
        InputError: Where `most` is less than 1.
        TrainingFailedError: Where not even one training has room.
    """
    if most < 1:
        raise InputError(f"at least 1 worker trains, got {most}")
    device, speeds = setup.target.device, dict[int, float]()
    with failures():
        torch.manual_seed(setup.recipe.seed)
        network = build(architecture)
        # A teacher slows pools of all sizes alike.
        recipe = autotune(network, replace(setup.recipe, distillation=0.0), setup.train, device)
        with training_on(device):
            seconds = seconds_per_step(network, recipe, setup.train, device)
    steps = max(_FEWEST_STEPS, min(_MOST_STEPS, round(_ROUND_SECONDS / seconds)))
    for size in _sizes(most if device.type != "cpu" else min(most, torch.get_num_threads())):
        try:
            with executor(size, setup) as pool:
                pool.start()
                speeds[size] = _speed(pool, architecture, recipe, steps, device)
        except (TrainingFailedError, BrokenProcessPool, InputError):
            # Also where the memory that processes share has no room for the pictures, as in many containers.
            if size == 1:
                raise
            speeds[size] = 0.0
        if PoolSpeeds(speeds).best != size:
            break
    return PoolSpeeds(speeds)


def _sizes(most: int) -> list[int]:
    """Return the powers of two from 1 to `most`."""
    return [2**power for power in range(most.bit_length())]


def _speed(pool: Executor, architecture: Architecture, recipe: Recipe, steps: int, device: torch.device) -> float:
    """Return the steps a second that started workers take in all, alone on the device, `steps` a worker and round.

    recipe: autotuned. Raises TrainingFailedError where the memory does not suffice, and BrokenProcessPool where a
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
