"""What a process that trains keeps from one piece of work to the next, and the work that it does."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from nas.bucket import Bucket
from nas.evaluate import Setup
from nas.training.bucket_tasks import fetched, scored_from, trained_from
from nas.training.rung_training import initial_network, train_to_rung
from nas.training.supernet import score_inherited
from nas.training.task import ScoreTask, TrainingResult, TrainingTask
from search_spaces.architecture import Architecture
from sr.checkpoint import load_network
from sr.data.pairs import on_device
from sr.measure.device_lock import training_on
from sr.measure.engines.network import as_judged
from sr.measure.quality import Quality, evaluate
from sr.memory import is_out_of_memory
from sr.training.fit import Fitted, fit
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer, TrainingFailedError, failures

# Of a training that is timed, after those that cost more than the others.
_WARM_UP_STEPS = 2


class WorkerState:
    """The setup of a process that trains, and the trainer that it times.

    Args:
        setup: What it trains on.
        bucket: Where weights lie; None for the folders that tasks name.
    """

    def __init__(self, setup: Setup, bucket: Bucket | None = None) -> None:
        self.setup, self._bucket = setup, bucket
        self._trainer: Trainer | None = None

    def place(self) -> None:
        """Bring the pairs to the device; nothing to do where they are there."""
        setup, device = self.setup, self.setup.target.device
        with failures(), training_on(device):
            train, val = on_device(setup.train, device), setup.val.to(device)
        self.setup = replace(setup, train=train, val=val)

    def here(self, path: Path | None) -> contextlib.AbstractContextManager[Path | None]:
        """Yield where a file that lies among the weights can be read while the block lasts; None stays."""
        return fetched(self._bucket, path)

    def train(self, task: TrainingTask) -> TrainingResult:
        """Train and judge as a task says; a training that fails is a result.

        Raises:
            InputError: As `train_to_rung` does.
        """
        if self._bucket is None:
            return self._result_of(lambda: self._trained(task))
        with trained_from(self._bucket, task) as here:
            return self._result_of(lambda: self._trained(here))

    def score(self, task: ScoreTask) -> TrainingResult:
        """Judge a candidate by the weights that it inherits; one that does not fit into the memory is a result.

        Raises:
            InputError: Where there are no weights.
        """
        if self._bucket is None:
            return self._result_of(lambda: self._scored(task))
        with scored_from(self._bucket, task) as here:
            return self._result_of(lambda: self._scored(here))

    def _trained(self, task: TrainingTask) -> tuple[Quality, float]:
        """Return what a training came to and its seconds."""
        setup, device = self.setup, self.setup.target.device
        fitted = _fitted(task, setup)
        with training_on(device):
            network = as_judged(fitted.network, setup.target)
        return evaluate(network, setup.val, device, with_ssim=False), fitted.seconds

    def _scored(self, task: ScoreTask) -> tuple[Quality, float]:
        """Return what a score came to and its seconds."""
        began, setup = time.monotonic(), self.setup
        quality = score_inherited(load_network(task.weights), setup.val, setup.target.device, train=setup.train)
        return quality, time.monotonic() - began

    def _result_of(self, work: Callable[[], tuple[Quality, float]]) -> TrainingResult:
        """Bring the pairs to the device and do work that returns a quality and its seconds; what failed is a result."""
        began = time.monotonic()
        try:
            self.place()
            quality, seconds = work()
        except TrainingFailedError as error:
            return TrainingResult(None, time.monotonic() - began, str(error))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return TrainingResult(None, time.monotonic() - began, "the device has too little memory for this network")
        finally:
            self._release()
        return TrainingResult(quality, seconds)

    def _release(self) -> None:
        """Leave the memory that a GPU's allocator keeps to the others who train on it; freeing it stops the GPU."""
        device = self.setup.target.device
        if device.type == "cuda":
            with training_on(device):
                torch.cuda.empty_cache()

    def warm_up(self, architecture: Architecture, recipe: Recipe) -> None:
        """Take the first steps of a training that `take_steps` goes on with; raises TrainingFailedError."""
        self.place()
        device = self.setup.target.device
        with failures(), training_on(device):
            network = initial_network(architecture, recipe, None)
            self._trainer = Trainer(network, recipe, self.setup.train, device)
            self.take_steps(self._trainer.settling_steps + _WARM_UP_STEPS)

    def take_steps(self, steps: int) -> None:
        """Take steps and wait for the last one; without the device lock, which the caller holds."""
        assert self._trainer is not None
        torch.stack([self._trainer.step() for _ in range(steps)]).sum().item()


def _fitted(task: TrainingTask, setup: Setup) -> Fitted:
    """Train as a task says on the pairs of a setup; raises what `fit` and `train_to_rung` raise."""
    initial = None if task.initial is None else load_network(task.initial)
    teacher = None if task.teacher is None else load_network(task.teacher)
    device = setup.target.device
    if task.goal is None:
        network = initial_network(task.architecture, task.recipe, initial)
        return fit(network, task.recipe, setup.train, device, teacher=teacher)
    goal = task.goal
    return train_to_rung(
        task.architecture, goal.rung, goal.ladder, task.recipe, setup.train, device, goal.folder, initial,
        teacher=teacher,
    )  # fmt: skip
