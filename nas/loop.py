"""The loop of a search: ask, evaluate, train by rungs, tell, until the trials or the time for them are used up."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from nas.candidate_verdicts import CandidateVerdicts, Evaluate
from nas.config.search import DEFAULT_PATIENCE
from nas.known_networks import by_key, nothing_is_feasible, repeated, typical_seconds
from nas.predictors.surrogate import Surrogate
from nas.samplers.protocol import Sampler
from nas.stopping import stopping_state
from nas.study import NoneLeftError, Study
from nas.time_budget import TimeBudget
from nas.training.executor import outcome
from nas.training.fidelity_schedule import FidelitySchedule
from nas.training.rung_submission import RungSubmitter, with_rung
from nas.training.task import TrainingResult
from nas.training.worker_state import WorkerState
from nas.trial import Trial
from nas.trial_lines import standing, trial_line
from sr.executors.executor import Executor
from sr.progress import Message, Report, no_report

# So many proposals in a row that were all evaluated before: the space, or what the sampler sees of it, is exhausted.
_STALE_PROPOSALS = 200

OnTold = Callable[[Trial, Sequence[Trial]], None]


@dataclass(frozen=True)
class _Running:
    """A training that is not finished: of which trial, to which rung, and whether the study was told of it before."""

    trial: Trial
    rung: int
    future: Future[TrainingResult]
    told: bool = False


class Search:
    """A search that is going on.

    Outcomes are told in the order in which they were begun, whichever training ends first: what a sampler knows when it
    proposes does not hang on the speed of the machine.

    Args:
        study: The record.
        sampler: What proposes where nothing waits in the study.
        evaluate: Counts and measures a candidate: from its number and architecture to a trial that is `measured` or
            `failed`.
        fidelity: How candidates are judged.
        executor: Where they are trained.
        surrogate: What the search expects; it observes the trials.
        time_budget: How many trials and how much time there are.
        calm_ms: What the reference network takes when nothing disturbs the device, as earlier searches know it.
        patience: Candidates without a growing front that end it.
        on_told: Is called after each outcome with the trial and all trials.
        report: Is told a line for each outcome.
    """

    def __init__(
        self,
        study: Study,
        sampler: Sampler,
        evaluate: Evaluate,
        fidelity: FidelitySchedule,
        executor: Executor[WorkerState],
        surrogate: Surrogate,
        time_budget: TimeBudget,
        *,
        calm_ms: float | None = None,
        patience: int = DEFAULT_PATIENCE,
        on_told: OnTold | None = None,
        report: Report = no_report,
    ) -> None:
        self._study, self._sampler, self._fidelity, self._surrogate = study, sampler, fidelity, surrogate
        self._verdicts = CandidateVerdicts(evaluate, fidelity.setup.budget_ms, calm_ms, report)
        self._submitter = RungSubmitter(fidelity, executor, report)
        self._time_budget, self._patience = time_budget, patience
        self._on_told, self._report = on_told, report
        self._running: deque[_Running] = deque()
        self._stale, self._stopped, self._just_measured_again = 0, "", False
        self._none_left, self._volume = False, 0.0

    def run(self) -> None:
        """Go on until nothing more is to be begun, and all that was begun is told."""
        self._report(standing(self._study.trials, self._volume, self._time_budget))
        try:
            while True:
                while len(self._running) < self._submitter.workers and self._begin():
                    pass
                if self._running:
                    self._finish(self._running.popleft())
                elif not self._others_leave_one():
                    break
        except BaseException:
            for unfinished in self._running:
                self._give_back(unfinished)
            self._study.leave()
            raise
        self._study.leave()
        if self._stopped:
            self._report(Message(self._stopped))

    def _others_leave_one(self) -> bool:
        """Wait, where the last trials are those of other processes; return whether one was lost and is to be done."""
        limit = self._time_budget.trials
        if limit is None or not self._none_left:
            return False
        self._none_left = False
        return self._study.await_others(limit, lambda: self._time_budget.search_left > 0)

    @property
    def _running_keys(self) -> set[str]:
        return {each.trial.architecture.key for each in self._running}

    def _begin(self) -> bool:
        """Begin a promotion where one is due, else a new candidate; return whether there was one to begin."""
        trials = self._study.trials
        self._surrogate.observe(trials)
        if self._time_budget.left_to_search(found=any(each.state == "trained" for each in trials)) <= 0:
            return False
        # Of several processes that share the study each goes on with its own.
        others = self._study.others()
        theirs = {trial.architecture.key for trial in trials if trial.number in others}
        promoted = self._fidelity.promoted(trials, self._running_keys | theirs, self._surrogate.promotion_score)
        if promoted is not None:
            trial = next(trial for trial in trials if trial.architecture.key == promoted)
            future = self._submitter.next_rung(trial, trials)
            self._running.append(_Running(trial, len(trial.rungs), future, told=True))
            return True
        goes_on = self._goes_on(trials)
        running = self._running_keys | theirs
        put_off = [each for each in by_key(trials).values() if each.state == "put off"]
        put_off = [each for each in put_off if each.architecture.key not in running]
        # In turn with proposals: by the next one the device may be calm.
        if put_off and not (goes_on and self._just_measured_again):
            self._just_measured_again = True
            self._measure_again(self._verdicts.least_measured(put_off), trials)
            return True
        self._just_measured_again = False
        return goes_on and self._propose(trials)

    def _goes_on(self, trials: Sequence[Trial]) -> bool:
        """Return whether there is to be another candidate."""
        asked = len(trials) + sum(each.rung == 0 for each in self._running)
        if not self._time_budget.allows_another(asked, typical_seconds(trials)) or self._stale >= _STALE_PROPOSALS:
            return False
        if nothing_is_feasible(by_key(trials)):
            return False
        stands = stopping_state(trials, self._fidelity.setup.budget_ms, self._patience)
        self._volume = stands.volume
        if stands.is_met:
            self._stopped = stands.describe()
        return not stands.is_met

    def _propose(self, trials: Sequence[Trial]) -> bool:
        """Ask for a candidate, evaluate it, and begin its first rung where it is within the budget."""
        try:
            number, architecture = self._study.ask(self._sampler.propose, self._time_budget.trials)
        except NoneLeftError:
            self._none_left = True
            return False
        try:
            waiting = next((each for each in self._running if each.trial.architecture.key == architecture.key), None)
            while waiting in self._running:
                # Its outcome is the answer.
                self._finish(self._running.popleft())
                trials = self._study.trials
            trial = repeated(number, architecture, by_key(trials))
            if trial is None:
                trial = self._verdicts.of(number, architecture, self._study.trials)
            # With one worker the training is done here.
            future = self._submitter.first_rung(architecture, trials) if trial.state == "measured" else None
        except BaseException:
            self._study.abandon(number)
            raise
        self._stale = self._stale + 1 if trial.duplicate_of is not None else 0
        if future is None:
            self._tell(trial)
        else:
            self._running.append(_Running(trial, 0, future))
        return True

    def _measure_again(self, put_off: Trial, trials: Sequence[Trial]) -> None:
        """Measure a candidate again that was put off, and begin its first rung where it is within the budget."""
        again = self._verdicts.again(put_off, trials)
        if again.state == "measured":
            future = self._submitter.first_rung(again.architecture, trials)
            self._running.append(_Running(again, 0, future, told=True))
        else:
            self._tell(again, advanced=True)

    def _finish(self, each: _Running) -> None:
        """Wait for a training and tell what became of it."""
        try:
            result = outcome(each.future)
        except BaseException:
            self._give_back(each)
            raise
        self._tell(with_rung(each.trial, each.rung, result, self._fidelity), advanced=each.told)

    def _give_back(self, each: _Running) -> None:
        """Give a candidate back to the study; one that it was told of stands as it did."""
        each.future.cancel()
        if not each.told:
            self._study.abandon(each.trial.number)

    def _tell(self, trial: Trial, *, advanced: bool = False) -> None:
        """Record an outcome, on disk before anything else, and report it."""
        if advanced:
            self._study.advance(trial)
        else:
            self._study.tell(trial)
        trials = self._study.trials
        if self._on_told is not None:
            self._on_told(trial, trials)
        self._fidelity.remove_stale_weights(trials, self._running_keys, self._surrogate.promotion_score)
        if trial.duplicate_of is None:
            self._report(Message(trial_line(trial, trials, self._time_budget)))
        self._report(standing(trials, self._volume, self._time_budget))
