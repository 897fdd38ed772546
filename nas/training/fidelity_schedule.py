"""How the PSNR of a candidate is found: rungs of training one after another, or a supernet's score before them."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nas.bucket import Bucket
from nas.config.fidelity import TRAINED_RUNGS, Fidelity
from nas.evaluate import Setup
from nas.larger_sizes import is_larger_size
from nas.successive_halving import Candidate, Ladder, PromotionScore, ladder, promotable, rung_psnr, stale_keys
from nas.training.rung_training import remove_weights
from nas.training.supernet import inherited
from nas.training.task import RungGoal, ScoreTask, TrainingTask
from nas.trial import Trial, promoted_trials, trained_once
from search_spaces.architecture import Architecture
from search_spaces.supernet import Supernet
from sr.checkpoint import Checkpoint, Description, save

# The weights of those may go who would not be promoted even if there were to be so many times the candidates.
_GROWTH = 4
_INHERITED = ".inherited.pth"


@dataclass(frozen=True)
class FidelitySchedule:
    """What all candidates of a study go through.

    Attributes:
        fidelity: `train` takes one training of all steps, `rungs` shorter ones before it, and of each rung the best are
            promoted; `supernet` has the score of inherited weights for a first rung.
        setup: What all candidates share.
        trained: The ladder of the trainings.
        folder: Where weights lie.
        supernet: What `fidelity` scores by, or what trainings start from, or None for neither.
        teacher: The checkpoint to distil from, where the recipe distils.
        bucket: Where weights lie for those who train elsewhere; None where they see `folder`.
    """

    fidelity: Fidelity
    setup: Setup
    trained: Ladder
    folder: Path
    supernet: Supernet | None = None
    teacher: Path | None = None
    bucket: Bucket | None = None

    @property
    def begins_with_score(self) -> bool:
        """Whether the first rung is a score, not a training."""
        return self.fidelity == "supernet"

    @property
    def ladder(self) -> Ladder:
        """All rungs, a score being the first."""
        if not self.begins_with_score:
            return self.trained
        # How many steps a rung took does not matter to who is promoted.
        return Ladder(tuple(range(1, len(self.trained.steps) + 2)), self.trained.eta)

    def steps(self, rung: int) -> int:
        """Return the steps trained in all after a rung; 0 for a score."""
        trained = rung - 1 if self.begins_with_score else rung
        return self.trained.steps[trained] if trained >= 0 else 0

    def why_untrainable(self, architecture: Architecture) -> str:
        """Say why an architecture cannot inherit from the supernet; nothing where it can, or where there is none."""
        if self.supernet is None:
            return ""
        try:
            self.supernet.inside(architecture)
        except ValueError as error:
            return str(error)
        return ""

    def is_trainable(self, architecture: Architecture) -> bool:
        """Return whether there is nothing in the way of judging an architecture."""
        return not self.why_untrainable(architecture)

    def score_task(self, architecture: Architecture) -> ScoreTask:
        """Return the first rung of a candidate that begins with a score."""
        weights = self.initial(architecture)
        assert weights is not None
        return ScoreTask(architecture, weights)

    def task(self, architecture: Architecture, rung: int) -> TrainingTask:
        """Return the training that takes a candidate to a rung."""
        goal = RungGoal(rung - 1 if self.begins_with_score else rung, self.trained, self.folder)
        return TrainingTask(architecture, self.setup.recipe, goal, self.initial(architecture), self.teacher)

    def initial(self, architecture: Architecture) -> Path | None:
        """Return the checkpoint that a candidate's first training starts from, None where it starts from scratch."""
        if self.supernet is None:
            return None
        path = self._inherited_path(architecture.key)
        if not path.exists():
            network = inherited(self.supernet, architecture)
            save(path, Checkpoint(Description("searched", architecture.to_json()), network.state_dict()))
        if self.bucket is not None and not self.bucket.holds(path.name):
            self.bucket.keep(path)
        return path

    def promoted(
        self, trials: Collection[Trial], running: Collection[str], score: PromotionScore = rung_psnr
    ) -> str | None:
        """Return the key of the candidate to train on, None where it is time for a new one.

        running: the keys of those that train now.
        """
        return promotable(_as_candidates(trials, running), self.ladder, score)

    def remove_stale_weights(
        self, trials: Collection[Trial], running: Collection[str], score: PromotionScore = rung_psnr
    ) -> None:
        """Remove the weights of candidates that will hardly be promoted; one that is all the same is trained again.

        Those of a candidate that was scored alone go at once: the supernet has them.
        """
        candidates = _as_candidates(trials, running)
        keys = set(stale_keys(candidates, self.ladder, _GROWTH * len(candidates), score))
        remove_weights(self.folder, keys)
        if self.begins_with_score:
            keys |= {each.key for each in candidates if len(each.rungs) == 1 and each.state != "training"}
        for path in self.folder.glob(f"*{_INHERITED}"):
            if path.name.removesuffix(_INHERITED) in keys:
                path.unlink(missing_ok=True)
        if keys and self.bucket is not None:
            self.bucket.remove(keys)

    def fetch_weights(self, trials: Collection[Trial]) -> None:
        """Bring the weights of candidates into the folder, where others trained and left them in a bucket."""
        if self.bucket is not None:
            self.bucket.fetch_all({trial.architecture.key for trial in trained_once(trials)}, self.folder)

    def _inherited_path(self, key: str) -> Path:
        """Return where the inherited weights of a candidate lie."""
        return self.folder / f"{key}{_INHERITED}"


def fidelity_schedule(
    fidelity: Fidelity,
    setup: Setup,
    folder: Path,
    supernet: Supernet | None = None,
    teacher: Path | None = None,
    *,
    fewest_first_steps: int = 1,
    bucket: Bucket | None = None,
) -> FidelitySchedule:
    """Return the schedule of a training of the recipe's steps.

    Args:
        fidelity: See `FidelitySchedule`.
        setup: What all candidates share.
        folder: Where weights are to lie.
        supernet: What is scored by or inherited from.
        teacher: The checkpoint to distil from.
        fewest_first_steps: With fewer steps on the first of several rungs there is one rung less; see
            `MeasurementPlan`.
        bucket: See `FidelitySchedule`.

    Raises:
        InputError: Where the steps are too few for the rungs.
    """
    steps, rungs = setup.recipe.steps, TRAINED_RUNGS[fidelity]
    trained = ladder(steps, rungs)
    if fidelity == "rungs" and trained.steps[0] < fewest_first_steps:
        trained = ladder(steps, rungs - 1)
    return FidelitySchedule(fidelity, setup, trained, folder, supernet, teacher, bucket)


def _as_candidates(trials: Collection[Trial], running: Collection[str]) -> list[Candidate]:
    """Return the trained trials as the ladder sees them."""
    trained, went_on = trained_once(trials), promoted_trials(trials)
    better = (each.architecture.trained_better for each in went_on)
    beside = {each.key for each in better if each is not None}
    if went_on:
        best = went_on[0].architecture
        beside |= {each.architecture.key for each in trained if is_larger_size(each.architecture, best)}
    return [_as_candidate(trial, running, beside) for trial in trained]


def _as_candidate(trial: Trial, running: Collection[str], beside: Collection[str]) -> Candidate:
    """Return a trained trial as the ladder sees it."""
    assert trial.measurement is not None
    state: Literal["waiting", "training", "failed"] = "failed" if trial.reason else "waiting"
    if trial.architecture.key in running:
        state = "training"
    _, runtime_ms, activations = trial.objectives
    key = trial.architecture.key
    return Candidate(key, runtime_ms, activations, trial.rungs, state=state, beside=key in beside)
