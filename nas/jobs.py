"""One piece of training as a value that travels between processes, and the desk where it is done."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from nas.evaluate import Setup
from nas.rungs import Ladder, drawn, train_rung
from search_spaces.architecture import Architecture
from sr.checkpoint import load_network
from sr.deployment import in_dtype
from sr.errors import InputError
from sr.lease import training_on
from sr.pairs import on_device
from sr.quality import Quality, evaluate
from sr.recipe import Recipe
from sr.trainer import Trainer, TrainingFailedError, failures
from sr.training import Fitted, fit

# Of a training that is timed: what the first steps cost beside is not counted.
WARM_UP_STEPS = 3


@dataclass(frozen=True)
class Climb:
    """The rung of a ladder that a job trains up to, and the folder of the weights; see `nas.rungs.train_rung`."""

    rung: int
    ladder: Ladder
    folder: Path


@dataclass(frozen=True)
class Job:
    """One piece of training, in values that travel to another process.

    climb: the rung to train to, else all steps of the recipe. initial: the checkpoint whose weights it starts from,
    else they are drawn from the recipe's seed. teacher: the checkpoint to distil from, where the recipe distils and
    only there, else InputError. No two jobs of one folder and architecture may run at a time.
    """

    architecture: Architecture
    recipe: Recipe
    climb: Climb | None = None
    initial: Path | None = None
    teacher: Path | None = None

    def __post_init__(self) -> None:
        if (self.recipe.distillation > 0) != (self.teacher is not None):
            raise InputError(
                f"a teacher is given where the distillation is over 0 and only there, got {self.recipe.distillation} "
                f"and {self.teacher or 'no teacher'}"
            )


@dataclass(frozen=True)
class Result:
    """What became of a job: the quality on the setup's `val`, without SSIM, or None and the reason of the failure.

    seconds: of the training, for a climb as the rung recorded them; of a failed one until it failed.
    """

    quality: Quality | None
    seconds: float
    reason: str = ""


class Desk:
    """What a process that trains keeps from one piece of work to the next: the setup, and the trainer that is timed."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.trainer: Trainer | None = None

    def place(self) -> None:
        """Bring the pairs to the device; nothing to do where they are there."""
        setup = self.setup
        with failures(), training_on(setup.device):
            train, val = on_device(setup.train, setup.device), setup.val.to(setup.device)
        self.setup = replace(setup, train=train, val=val)

    def train(self, job: Job) -> Result:
        """Train and judge as a job says; a training that fails is a result. Raises InputError as `train_rung` does."""
        began = time.monotonic()
        try:
            self.place()
            setup = self.setup
            fitted = fitted_by(job, setup)
            # Judging disturbs whoever measures as much as training does.
            with training_on(setup.device):
                quality = evaluate(in_dtype(fitted.network, setup.dtype), setup.val, setup.device, with_ssim=False)
        except TrainingFailedError as error:
            return Result(None, time.monotonic() - began, str(error))
        except torch.OutOfMemoryError:
            return Result(None, time.monotonic() - began, "the device has too little memory for this network")
        return Result(quality, fitted.seconds)

    def warm_up(self, architecture: Architecture, recipe: Recipe) -> None:
        """Take the first steps of a training that `take_steps` goes on with; raises TrainingFailedError."""
        self.place()
        with failures(), training_on(self.setup.device):
            network = drawn(architecture, recipe, None)
            self.trainer = Trainer(network, recipe, self.setup.train, self.setup.device)
            self.take_steps(WARM_UP_STEPS)

    def take_steps(self, steps: int) -> None:
        """Take steps and wait for the last one; without a lease, as the caller holds the device."""
        assert self.trainer is not None
        torch.stack([self.trainer.step() for _ in range(steps)]).sum().item()


def fitted_by(job: Job, setup: Setup) -> Fitted:
    """Train as a job says on the pairs of a setup; raises what `fit` and `train_rung` raise."""
    initial = None if job.initial is None else load_network(job.initial)
    teacher = None if job.teacher is None else load_network(job.teacher)
    if job.climb is None:
        network = drawn(job.architecture, job.recipe, initial)
        return fit(network, job.recipe, setup.train, setup.device, teacher=teacher, quiet=True)
    rung, ladder, folder = job.climb.rung, job.climb.ladder, job.climb.folder
    return train_rung(
        job.architecture, rung, ladder, job.recipe, setup.train, setup.device, folder, initial, teacher=teacher
    )
