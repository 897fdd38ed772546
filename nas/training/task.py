"""One piece of training as a value that travels between processes, and what becomes of it."""

from dataclasses import dataclass
from pathlib import Path

from nas.successive_halving import Ladder
from search_spaces.architecture import Architecture
from sr.errors import InputError
from sr.measure.quality import Quality
from sr.training.recipe import Recipe


@dataclass(frozen=True)
class RungGoal:
    """The rung of a ladder that a task trains to, and the folder of the weights; see `train_to_rung`."""

    rung: int
    ladder: Ladder
    folder: Path


@dataclass(frozen=True)
class TrainingTask:
    """One piece of training, in values that travel to another process.

    No two tasks of one folder and architecture may run at a time.

    Attributes:
        architecture: The candidate.
        recipe: How it is trained.
        goal: The rung to train to, else all steps of the recipe.
        initial: The checkpoint whose weights it starts from, else they are drawn from the recipe's seed.
        teacher: The checkpoint to distil from, where the recipe distils and only there, else InputError.
    """

    architecture: Architecture
    recipe: Recipe
    goal: RungGoal | None = None
    initial: Path | None = None
    teacher: Path | None = None

    @property
    def label(self) -> str:
        """What it is, for people."""
        steps = self.recipe.steps if self.goal is None else self.goal.ladder.steps[self.goal.rung]
        return f"train {self.architecture.summary} to {steps:,} steps"

    def __post_init__(self) -> None:
        if (self.recipe.distillation > 0) != (self.teacher is not None):
            raise InputError(
                f"a teacher is given where the distillation is over 0 and only there, got {self.recipe.distillation} "
                f"and {self.teacher or 'no teacher'}"
            )


@dataclass(frozen=True)
class ScoreTask:
    """A candidate to judge without training, by the weights that it inherits from a supernet: those at `weights`."""

    architecture: Architecture
    weights: Path

    @property
    def label(self) -> str:
        """What it is, for people."""
        return f"score {self.architecture.summary}"


@dataclass(frozen=True)
class TrainingResult:
    """What became of a task.

    Attributes:
        quality: On the setup's `val`, without SSIM; None where the training failed.
        seconds: Of the training, up to a rung as the rung recorded them; of a score, and of what failed, until it
            ended; 0 where its process died.
        reason: Why it failed.
    """

    quality: Quality | None
    seconds: float
    reason: str = ""
