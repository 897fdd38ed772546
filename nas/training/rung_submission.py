"""Rungs of candidates handed to whoever trains, and what they make of a trial."""

import math
import statistics
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from nas.successive_halving import Rung
from nas.training.fidelity_schedule import FidelitySchedule
from nas.training.task import TrainingResult
from nas.training.worker_state import WorkerState
from nas.trial import Trial
from search_spaces.architecture import Architecture
from sr.executors.executor import Executor
from sr.progress import Phase, Report, no_report


class RungSubmitter:
    """Hands trainings and scores to an executor.

    Args:
        fidelity: How candidates are judged.
        executor: Who does the work.
        report: Is told what is begun.
    """

    def __init__(self, fidelity: FidelitySchedule, executor: Executor[WorkerState], report: Report = no_report) -> None:
        self._fidelity, self._executor, self._report = fidelity, executor, report

    @property
    def workers(self) -> int:
        """How many rungs are worked on at once."""
        return self._executor.workers

    def first_rung(self, architecture: Architecture, trials: Sequence[Trial]) -> Future[TrainingResult]:
        """Begin the first rung of a candidate; the failure of what has no weights to inherit is there at once.

        trials: all so far, by which people are told how long it may take.
        """
        if reason := self._fidelity.why_untrainable(architecture):
            known: Future[TrainingResult] = Future()
            known.set_result(TrainingResult(None, 0.0, reason))
            return known
        if not self._fidelity.begins_with_score:
            return self._training(architecture, 0, trials)
        self._report(Phase(f"scoring {architecture.summary}", _usual_seconds(0, trials)))
        return self._executor.submit(WorkerState.score, self._fidelity.score_task(architecture))

    def next_rung(self, trial: Trial, trials: Sequence[Trial]) -> Future[TrainingResult]:
        """Begin the rung of a candidate after those that it finished."""
        return self._training(trial.architecture, len(trial.rungs), trials)

    def _training(self, architecture: Architecture, rung: int, trials: Sequence[Trial]) -> Future[TrainingResult]:
        label = f"training {architecture.summary} to {self._fidelity.steps(rung):,} steps"
        self._report(Phase(label, _usual_seconds(rung, trials)))
        return self._executor.submit(WorkerState.train, self._fidelity.task(architecture, rung))


def with_rung(trial: Trial, rung: int, result: TrainingResult, fidelity: FidelitySchedule) -> Trial:
    """Return a trial with what came out of a rung; one that failed after its first stays with what it has."""
    trial = replace(trial, seconds=trial.seconds + result.seconds)
    if result.quality is None:
        return replace(trial, reason=result.reason, state="failed" if rung == 0 else trial.state)
    rungs = (*trial.rungs, Rung(fidelity.steps(rung), result.quality.psnr, result.seconds, result.quality.psnr_y))
    if rung:
        return replace(trial, rungs=rungs)
    assert trial.measurement is not None
    return replace(trial, state="trained", rungs=rungs, measurement=replace(trial.measurement, quality=result.quality))


def _usual_seconds(rung: int, trials: Sequence[Trial]) -> float:
    """Return how long such a rung took so far; infinite where there was none."""
    took = [each.rungs[rung].seconds for each in trials if len(each.rungs) > rung]
    return statistics.median(took) if took else math.inf
