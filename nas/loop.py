"""The loop of a search: ask, evaluate, train by rungs, tell, until the trials or the time for them are used up."""

import math
import statistics
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from nas.config.search import DEFAULT_PATIENCE
from nas.predictors.surrogate import Surrogate
from nas.samplers.protocol import Sampler
from nas.stopping import stopping_state
from nas.study import NoneLeftError, Study
from nas.successive_halving import Rung
from nas.time_budget import TimeBudget
from nas.training.executor import outcome
from nas.training.fidelity_schedule import FidelitySchedule
from nas.training.task import TrainingResult
from nas.training.worker_state import WorkerState
from nas.trial import State, Trial
from nas.trial_lines import standing, trial_line
from nas.verdict import CalmSpeed, Verdict, calm_speed, rough_verdict_on, verdict_on
from search_spaces.architecture import Architecture
from sr.executors.executor import Executor
from sr.measure.measurement import Measurement
from sr.progress import Message, Phase, Report, no_report

# So many proposals in a row that were all evaluated before: the space, or what the sampler sees of it, is exhausted.
_STALE_PROPOSALS = 200
# So many different networks, the smallest of the space among them, and none within the budget: none will be.
_INFEASIBLE_TRIALS = 30
# A candidate that was put off is measured so often in all; then the likelier verdict stands.
_MOST_MEASUREMENTS = 4
# A device that is slower by less is not worth a word.
_SAID_SLOWDOWN = 1.02

Evaluate = Callable[[int, Architecture], Trial]
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
        self._study, self._sampler, self._evaluate = study, sampler, evaluate
        self._fidelity, self._executor, self._surrogate = fidelity, executor, surrogate
        self._time_budget, self._calm_ms, self._patience = time_budget, calm_ms, patience
        self._on_told, self._report = on_told, report
        self._running: deque[_Running] = deque()
        self._measured: Counter[int] = Counter()
        self._stale, self._stopped, self._just_measured_again = 0, "", False
        self._none_left, self._volume = False, 0.0

    def run(self) -> None:
        """Go on until nothing more is to be begun, and all that was begun is told."""
        self._report(standing(self._study.trials, self._volume, self._time_budget))
        try:
            while True:
                while len(self._running) < self._executor.workers and self._begin():
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
    def _budget_ms(self) -> float:
        return self._fidelity.setup.budget_ms

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
            self._promote(next(trial for trial in trials if trial.architecture.key == promoted))
            return True
        goes_on = self._goes_on(trials)
        running = self._running_keys | theirs
        put_off = [each for each in _by_key(trials).values() if each.state == "put off"]
        put_off = [each for each in put_off if each.architecture.key not in running]
        # In turn with proposals: by the next one the device may be calm.
        if put_off and not (goes_on and self._just_measured_again):
            self._just_measured_again = True
            self._measure_again(min(put_off, key=lambda each: (self._measured[each.number], each.number)))
            return True
        self._just_measured_again = False
        return goes_on and self._propose(trials)

    def _goes_on(self, trials: Sequence[Trial]) -> bool:
        """Return whether there is to be another candidate."""
        asked = len(trials) + sum(each.rung == 0 for each in self._running)
        if not self._time_budget.allows_another(asked, _typical_seconds(trials)) or self._stale >= _STALE_PROPOSALS:
            return False
        if _nothing_is_feasible(_by_key(trials)):
            return False
        stands = stopping_state(trials, self._budget_ms, self._patience)
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
            trial = _repeated(number, architecture, _by_key(trials))
            if trial is None:
                trial = self._with_verdict(self._costed(number, architecture))
            # With one worker the training is done here.
            future = self._first_rung(architecture) if trial.state == "measured" else None
        except BaseException:
            self._study.abandon(number)
            raise
        self._stale = self._stale + 1 if trial.duplicate_of is not None else 0
        if future is None:
            self._tell(trial)
        else:
            self._running.append(_Running(trial, 0, future))
        return True

    def _measure_again(self, put_off: Trial) -> None:
        """Measure a candidate again that was put off, and begin its first rung where it is within the budget."""
        again = self._with_verdict(self._costed(put_off.number, put_off.architecture), put_off.calm_ms)
        again = replace(again, seconds=put_off.seconds + again.seconds)
        if again.state == "measured":
            future = self._first_rung(again.architecture)
            self._running.append(_Running(again, 0, future, told=True))
        else:
            self._tell(again, advanced=True)

    def _costed(self, number: int, architecture: Architecture) -> Trial:
        """Return a candidate counted and measured."""
        self._report(Phase(f"trial {number}: measuring {architecture.summary}"))
        return self._evaluate(number, architecture)

    def _with_verdict(self, trial: Trial, before_ms: float | None = None) -> Trial:
        """Return a measured candidate with the verdict on its runtime; a failed one stays what it is.

        before_ms: what its runtime stood for at calm speed when it was put off: of several doubtful ones the least.
        """
        measured = trial.measurement
        if trial.state != "measured" or measured is None:
            return trial
        self._measured[trial.number] += 1
        calm = calm_speed(self._study.trials, measured, self._calm_ms)
        verdict, doubt, calm_ms = verdict_on(measured, calm, self._budget_ms), "", calm.calm_ms(measured)
        if verdict == "put off":
            calm_ms = calm_ms if before_ms is None else min(before_ms, calm_ms)
            if self._measured[trial.number] >= _MOST_MEASUREMENTS:
                verdict, doubt = rough_verdict_on(calm_ms, calm, self._budget_ms), "the device was never calm"
        states: dict[Verdict, State] = {"within": "measured", "over": "infeasible", "put off": "put off"}
        reason = "" if verdict == "within" else _why(verdict, measured, calm, self._budget_ms, doubt)
        return replace(trial, state=states[verdict], reason=reason, calm_ms=calm_ms)

    def _first_rung(self, architecture: Architecture) -> Future[TrainingResult]:
        """Begin the first rung: a score is there at once, and so is the failure of what has no weights to inherit."""
        reason = self._fidelity.why_untrainable(architecture)
        if not (self._fidelity.begins_with_score or reason):
            self._say_training(architecture, 0)
            return self._executor.submit(WorkerState.train, self._fidelity.task(architecture, 0))
        known: Future[TrainingResult] = Future()
        known.set_result(TrainingResult(None, 0.0, reason) if reason else self._fidelity.score(architecture))
        return known

    def _promote(self, trial: Trial) -> None:
        """Begin the next rung of a candidate."""
        rung = len(trial.rungs)
        self._say_training(trial.architecture, rung)
        future = self._executor.submit(WorkerState.train, self._fidelity.task(trial.architecture, rung))
        self._running.append(_Running(trial, rung, future, told=True))

    def _say_training(self, architecture: Architecture, rung: int) -> None:
        """Report that a training begins, and how long such trainings took so far."""
        took = [trial.rungs[rung].seconds for trial in self._study.trials if len(trial.rungs) > rung]
        label = f"training {architecture.summary} to {self._fidelity.steps(rung):,} steps"
        self._report(Phase(label, statistics.median(took) if took else math.inf))

    def _finish(self, each: _Running) -> None:
        """Wait for a training and tell what became of it."""
        try:
            result = outcome(each.future)
        except BaseException:
            self._give_back(each)
            raise
        self._tell(_judged(each.trial, each.rung, result, self._fidelity), advanced=each.told)

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


def _judged(trial: Trial, rung: int, result: TrainingResult, fidelity: FidelitySchedule) -> Trial:
    """Return a trial with what came out of a rung; one that failed after its first stays with what it has."""
    trial = replace(trial, seconds=trial.seconds + result.seconds)
    if result.quality is None:
        return replace(trial, reason=result.reason, state="failed" if rung == 0 else trial.state)
    rungs = (*trial.rungs, Rung(fidelity.steps(rung), result.quality.psnr, result.seconds, result.quality.psnr_y))
    if rung:
        return replace(trial, rungs=rungs)
    assert trial.measurement is not None
    return replace(trial, state="trained", rungs=rungs, measurement=replace(trial.measurement, quality=result.quality))


def _why(verdict: Verdict, measured: Measurement, calm: CalmSpeed, budget_ms: float, doubt: str) -> str:
    """Say why a candidate is not within the budget, or not yet."""
    runtime, slowdown = measured.runtime, calm.slowdown(measured)
    speed = "" if slowdown < _SAID_SLOWDOWN else f" while the device was {slowdown:.2f} times slower than when calm"
    taken = f"{runtime.median_ms:.1f} ms (p90 {runtime.p90_ms:.1f}){speed}"
    if verdict == "put off":
        return f"{taken}: no verdict while the device is busy, measured again later"
    return f"{taken} is over the budget of {budget_ms:g} ms" + (f"; {doubt}" if doubt else "")


def _by_key(trials: Sequence[Trial]) -> dict[str, Trial]:
    """Return the different networks by their keys, each with the trial that evaluated it."""
    return {trial.architecture.key: trial for trial in trials if trial.duplicate_of is None}


def _repeated(number: int, architecture: Architecture, known: Mapping[str, Trial]) -> Trial | None:
    """Return the known outcome of an equal network; its rungs are those of the trial that trained to them."""
    before = known.get(architecture.key)
    if before is None:
        return None
    return Trial(number, architecture, before.state, before.measurement, before.reason, 0.0, before.number)


def _nothing_is_feasible(known: Mapping[str, Trial]) -> bool:
    """Return whether enough was measured to give the budget up."""
    return len(known) >= _INFEASIBLE_TRIALS and all(trial.state == "infeasible" for trial in known.values())


def _typical_seconds(trials: Sequence[Trial]) -> float | None:
    """Return the median length of a trained candidate's trial up to its first rung; None where none is trained."""
    lengths = [
        trial.seconds - sum(rung.seconds for rung in trial.rungs[1:])
        for trial in trials
        if trial.state == "trained" and trial.duplicate_of is None
    ]
    return statistics.median(lengths) if lengths else None
