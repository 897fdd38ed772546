"""How the quality of a candidate is found: rungs of training one after another, or a supernet's score before them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas.evaluate import Setup
from nas.jobs import Climb, Job, Result
from nas.rungs import Candidate, Ladder, Score, ladder, promotable, remove_weights, rung_psnr, surplus
from nas.supernet import inherited, score
from nas.trial import Trial, trained_once
from search_spaces.architecture import Architecture
from search_spaces.supernet import Supernet
from sr.checkpoint import Checkpoint, Description, save

QualityKind = Literal["rungs", "supernet", "train"]
# Rungs of training by the kind of quality; where a supernet scores first, that is one more, below them.
TRAINED_RUNGS: dict[QualityKind, int] = {"rungs": 3, "supernet": 1, "train": 1}
# A first rung of fewer steps says little more than how soon a network starts to learn; then there is one rung less.
FEWEST_FIRST_STEPS = 200
# The weights of those may go who would not be promoted even if there were to be so many times the candidates.
GROWTH = 4


@dataclass(frozen=True)
class Course:
    """What all candidates of a study climb.

    kind: `train` takes one training of all steps, `rungs` shorter ones before it, and of each rung the best are
    promoted; `supernet` has the score of inherited weights for a first rung. trained: the ladder of the trainings.
    folder: where weights lie. supernet: what `kind` scores by, or what trainings start from, or None for neither.
    teacher: the checkpoint to distil from, where the recipe distils.
    """

    kind: QualityKind
    setup: Setup
    trained: Ladder
    folder: Path
    supernet: Supernet | None = None
    teacher: Path | None = None

    @property
    def scores(self) -> bool:
        """Whether the first rung is a score, not a training."""
        return self.kind == "supernet"

    @property
    def ladder(self) -> Ladder:
        """All rungs, a score being the first."""
        if not self.scores:
            return self.trained
        # How many steps a rung took does not matter to who is promoted.
        return Ladder(tuple(range(1, len(self.trained.steps) + 2)), self.trained.eta)

    def steps(self, rung: int) -> int:
        """Return the steps trained in all after a rung; 0 for a score."""
        trained = rung - 1 if self.scores else rung
        return self.trained.steps[trained] if trained >= 0 else 0

    def outside(self, architecture: Architecture) -> str:
        """Say why an architecture cannot inherit from the supernet; nothing where it can, or where there is none."""
        if self.supernet is None:
            return ""
        try:
            self.supernet.inside(architecture)
        except ValueError as error:
            return str(error)
        return ""

    def score(self, architecture: Architecture) -> Result:
        """Return the quality that the supernet's weights give."""
        assert self.supernet is not None
        quality = score(self.supernet, architecture, self.setup.val, self.setup.device, train=self.setup.train)
        return Result(quality, 0.0)

    def job(self, architecture: Architecture, rung: int) -> Job:
        """Return the training that takes a candidate up to a rung."""
        climb = Climb(rung - 1 if self.scores else rung, self.trained, self.folder)
        return Job(architecture, self.setup.recipe, climb, self.initial(architecture), self.teacher)

    def initial(self, architecture: Architecture) -> Path | None:
        """Return the checkpoint that a candidate's first training starts from, None where it starts from scratch."""
        if self.supernet is None:
            return None
        path = self.inherited_path(architecture.key)
        if not path.exists():
            network = inherited(self.supernet, architecture)
            save(path, Checkpoint(Description("searched", architecture.to_json()), network.state_dict()))
        return path

    def inherited_path(self, key: str) -> Path:
        """Return where the inherited weights of a candidate lie."""
        return self.folder / f"{key}.inherited.pth"

    def promoted(self, trials: list[Trial], under_way: set[str], rating: Score = rung_psnr) -> str | None:
        """Return the key of the candidate to train on, None where it is time for a new one."""
        return promotable([as_candidate(trial, under_way) for trial in trained_once(trials)], self.ladder, rating)

    def tidy(self, trials: list[Trial], under_way: set[str], rating: Score = rung_psnr) -> None:
        """Remove the weights of candidates that will hardly be promoted; one that is all the same is trained again."""
        candidates = [as_candidate(trial, under_way) for trial in trained_once(trials)]
        keys = surplus(candidates, self.ladder, GROWTH * len(candidates), rating)
        remove_weights(self.folder, keys)
        for key in keys:
            self.inherited_path(key).unlink(missing_ok=True)


def course(
    kind: QualityKind, setup: Setup, folder: Path, supernet: Supernet | None = None, teacher: Path | None = None
) -> Course:
    """Return the course to a training of the recipe's steps; raises InputError where they are too few for its rungs."""
    climbed = ladder(setup.recipe.steps, TRAINED_RUNGS[kind])
    if kind == "rungs" and climbed.steps[0] < FEWEST_FIRST_STEPS:
        climbed = ladder(setup.recipe.steps, TRAINED_RUNGS[kind] - 1)
    return Course(kind, setup, climbed, folder, supernet, teacher)


def as_candidate(trial: Trial, under_way: set[str]) -> Candidate:
    """Return a trained trial as the ladder sees it."""
    assert trial.measurement is not None
    state: Literal["waiting", "training", "failed"] = "failed" if trial.reason else "waiting"
    if trial.architecture.key in under_way:
        state = "training"
    _, runtime_ms, activations = trial.objectives
    return Candidate(trial.architecture.key, runtime_ms, activations, trial.rungs, state=state)
