"""When a search may stop by itself: the volume that its front dominates no longer grows."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.config.search import DEFAULT_PATIENCE
from nas.trial import Trial
from sr.pareto import dominates, hypervolume

# Relative growth of the volume that counts as a gain, at once or over several trials.
_GAIN = 0.001
# The first trained candidates set the corner that the volume is measured from; before them nothing is judged.
_CORNER_TRIALS = 8

_Point = tuple[float, float, float]


@dataclass(frozen=True)
class StoppingState:
    """How a search stands: trials without a gain since the last one, of `patience`, and its volume so far.

    volume: dB times ms times activations up to the corner, comparable within one study only.
    """

    since: int
    patience: int
    volume: float

    @property
    def is_met(self) -> bool:
        """Whether the search should stop."""
        return self.since >= self.patience

    def describe(self) -> str:
        """Say how it stands."""
        share = f"{100 * _GAIN:g} %"
        if self.is_met:
            return f"stopped: the hypervolume grew by less than {share} over the last {self.since} candidates"
        left = self.patience - self.since
        return f"{self.since} candidates since the hypervolume grew by {share}; {left} more without that end the search"


def stopping_state(trials: Sequence[Trial], budget_ms: float, patience: int = DEFAULT_PATIENCE) -> StoppingState:
    """Return how a search stands after `trials`, by number; a network counts once, whatever became of it.

    The corner is fixed by the first trained candidates: their worst PSNR, the budget, and the activations
    that would fill the budget at the worst rate among them. With a fixed corner the volume never shrinks. Raises
    ValueError where the patience is not positive.
    """
    if patience < 1:
        raise ValueError(f"the patience is a number of trials from 1, got {patience}")
    different = [trial for trial in trials if trial.duplicate_of is None]
    trained = [trial for trial in different if trial.state == "trained"]
    if len(trained) < _CORNER_TRIALS:
        return StoppingState(0, patience, 0.0)
    corner = _corner_of(trained[:_CORNER_TRIALS], budget_ms)
    front: list[_Point] = []
    volume = reference = 0.0
    since = 0
    for trial in different:
        since += 1
        if trial.state == "trained" and _joins(trial.objectives, front):
            front = [point for point in front if not dominates(trial.objectives, point)] + [trial.objectives]
            volume = hypervolume(front, corner)
        if volume > (1 + _GAIN) * reference or trial.number <= trained[_CORNER_TRIALS - 1].number:
            reference, since = volume, 0
    return StoppingState(since, patience, volume)


def _corner_of(trained: Sequence[Trial], budget_ms: float) -> _Point:
    """Return the worst point that is still of interest: (-PSNR, ms, activations)."""
    points = [trial.objectives for trial in trained]
    # The budget is kept by the p90, so that a median always lies below it.
    filling = max(activations * budget_ms / runtime_ms for _, runtime_ms, activations in points)
    return max(point[0] for point in points), budget_ms, filling


def _joins(point: _Point, front: Sequence[_Point]) -> bool:
    """Return whether a point adds to a front: none of it is as good in everything."""
    first, second, third = point
    return not any(a <= first and b <= second and c <= third for a, b, c in front)
