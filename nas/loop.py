"""The loop of a search: ask, measure, train by rungs, tell, until the trials or the time for them are used up."""

import math
import statistics
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from nas.course import Course
from nas.crew import Crew
from nas.engine import Engine
from nas.evaluate import cost_candidate
from nas.foresight import Foresight
from nas.jobs import Result
from nas.report import write_tables
from nas.rungs import Rung
from nas.schedule import Schedule
from nas.stagnation import PATIENCE, progress
from nas.trial import Trial, front_of
from search_spaces.architecture import Architecture
from sr.command import say
from sr.progress import duration

# So many proposals in a row that were all evaluated before: the space, or what the engine sees of it, is exhausted.
STALE_PROPOSALS = 200
# So many different networks, the smallest of the space among them, and none within the budget: none will be.
HOPELESS_TRIALS = 30


@dataclass(frozen=True)
class UnderWay:
    """A training that is not finished: of which trial, and up to which rung."""

    trial: Trial
    rung: int
    future: Future[Result]


@dataclass
class Search:
    """A search that is going on.

    Outcomes are told in the order in which they were begun, whichever training ends first: what an engine knows when it
    proposes does not hang on the speed of the machine. patience: candidates without a growing front that end it.
    """

    engine: Engine
    course: Course
    crew: Crew
    schedule: Schedule
    foresight: Foresight
    out: Path
    patience: int = PATIENCE
    stale: int = 0
    under_way: deque[UnderWay] = field(default_factory=deque)
    over: str = ""

    def run(self) -> None:
        """Go on until nothing more is to be begun, and all that was begun is told."""
        try:
            while True:
                while len(self.under_way) < self.crew.workers and self.begin():
                    pass
                if not self.under_way:
                    break
                self.end(self.under_way.popleft())
        except BaseException:
            for unfinished in self.under_way:
                self.give_back(unfinished)
            raise
        if self.over:
            say(self.over)

    def begin(self) -> bool:
        """Begin one thing: a promotion where one is due, else a new candidate; tell whether there was one to begin."""
        trials = self.engine.trials
        self.foresight.learn(trials)
        if self.schedule.search_left <= 0:
            return False
        keys = {each.trial.architecture.key for each in self.under_way}
        promoted = self.course.promoted(trials, keys, self.foresight.rating)
        if promoted is not None:
            self.climb(next(trial for trial in trials if trial.architecture.key == promoted))
            return True
        return self.goes_on(trials) and self.propose(trials)

    def goes_on(self, trials: Sequence[Trial]) -> bool:
        """Tell whether there is to be another candidate."""
        asked = len(trials) + sum(each.rung == 0 for each in self.under_way)
        if not self.schedule.goes_on(asked, typical_seconds(trials)) or self.stale >= STALE_PROPOSALS:
            return False
        if is_hopeless(known_of(trials)):
            return False
        stands = progress(trials, self.course.setup.budget_ms, self.patience)
        if stands.stagnates:
            self.over = stands.line
        return not stands.stagnates

    def propose(self, trials: Sequence[Trial]) -> bool:
        """Ask for a candidate, measure it, and begin its first rung where it is within the budget."""
        number, architecture = self.engine.ask()
        try:
            waiting = next((each for each in self.under_way if each.trial.architecture.key == architecture.key), None)
            while waiting in self.under_way:
                # Its outcome is the answer.
                self.end(self.under_way.popleft())
                trials = self.engine.trials
            trial = repeated(number, architecture, known_of(trials)) or self.costed(number, architecture)
            # With one worker the training is done here.
            future = self.first_rung(architecture) if trial.state == "measured" else None
        except BaseException:
            self.engine.abandon(number)
            raise
        self.stale = self.stale + 1 if trial.duplicate_of is not None else 0
        if future is None:
            self.tell(trial)
        else:
            self.under_way.append(UnderWay(trial, 0, future))
        return True

    def costed(self, number: int, architecture: Architecture) -> Trial:
        """Return the candidate counted and measured."""
        return cost_candidate(number, architecture, self.course.setup)

    def first_rung(self, architecture: Architecture) -> Future[Result]:
        """Begin the first rung: a score is there at once, and so is the failure of what has no weights to inherit."""
        outside = self.course.outside(architecture)
        if not (self.course.scores or outside):
            return self.crew.submit(self.course.job(architecture, 0))
        known: Future[Result] = Future()
        known.set_result(Result(None, 0.0, outside) if outside else self.course.score(architecture))
        return known

    def climb(self, trial: Trial) -> None:
        """Begin the next rung of a candidate."""
        rung = len(trial.rungs)
        self.under_way.append(UnderWay(trial, rung, self.crew.submit(self.course.job(trial.architecture, rung))))

    def end(self, each: UnderWay) -> None:
        """Wait for a training and tell what became of it."""
        try:
            result = each.future.result()
        except BaseException:
            self.give_back(each)
            raise
        self.tell(judged(each, result, self.course), advanced=each.rung > 0)

    def give_back(self, each: UnderWay) -> None:
        """Give a candidate back to the engine; a promoted one stands as it did."""
        each.future.cancel()
        if each.rung == 0:
            self.engine.abandon(each.trial.number)

    def tell(self, trial: Trial, *, advanced: bool = False) -> None:
        """Record an outcome, on disk before anything else, and say it."""
        if advanced:
            self.engine.advance(trial)
        else:
            self.engine.tell(trial)
        trials = self.engine.trials
        write_tables(self.out, trials)
        keys = {each.trial.architecture.key for each in self.under_way}
        self.course.tidy(trials, keys, self.foresight.rating)
        if trial.duplicate_of is None:
            say(trial_line(trial, trials, self.schedule))


def judged(each: UnderWay, result: Result, course: Course) -> Trial:
    """Return the trial with what came out of a rung; one that failed after its first stays with what it has."""
    trial = replace(each.trial, seconds=each.trial.seconds + result.seconds)
    if result.quality is None:
        return replace(trial, reason=result.reason, state="failed" if each.rung == 0 else trial.state)
    rungs = (*trial.rungs, Rung(course.steps(each.rung), result.quality.psnr, result.seconds))
    if each.rung:
        return replace(trial, rungs=rungs)
    assert trial.measurement is not None
    return replace(trial, state="trained", rungs=rungs, measurement=replace(trial.measurement, quality=result.quality))


def known_of(trials: Sequence[Trial]) -> dict[str, Trial]:
    """Return the different networks by their keys, each with the trial that evaluated it."""
    return {trial.architecture.key: trial for trial in trials if trial.duplicate_of is None}


def repeated(number: int, architecture: Architecture, known: Mapping[str, Trial]) -> Trial | None:
    """Return the known outcome of an equal network; its rungs are those of the trial that climbed them."""
    before = known.get(architecture.key)
    if before is None:
        return None
    return Trial(number, architecture, before.state, before.measurement, before.reason, 0.0, before.number)


def is_hopeless(known: Mapping[str, Trial]) -> bool:
    """Tell whether enough was measured to give the budget up."""
    return len(known) >= HOPELESS_TRIALS and all(trial.state == "infeasible" for trial in known.values())


def typical_seconds(trials: Sequence[Trial]) -> float:
    """Return the median length of a trained candidate's trial up to its first rung."""
    lengths = [
        trial.seconds - sum(rung.seconds for rung in trial.rungs[1:])
        for trial in trials
        if trial.state == "trained" and trial.duplicate_of is None
    ]
    return statistics.median(lengths) if lengths else 0.0


def trial_line(trial: Trial, trials: Sequence[Trial], schedule: Schedule) -> str:
    """Say what became of a trial, and how the search stands."""
    if trial.state == "trained" and trial.measurement is not None:
        runtime = trial.measurement.runtime
        doubt = "" if runtime.reliable else ", unreliable"
        outcome = f"{climbed(trial)}, {runtime.median_ms:.1f} ms (p90 {runtime.p90_ms:.1f}{doubt})"
    else:
        outcome = f"{trial.state}: {trial.reason}"
    left = f", {duration(max(0, schedule.search_left))} left to search" if math.isfinite(schedule.seconds) else ""
    trained = [other.standing for other in trials if other.state == "trained"]
    best = f"best {max(trained)[1]:.2f} dB" if trained else "none within the budget yet"
    standing = f"[{best}, front {len(front_of(trials))}{left}]"
    return f"trial {trial.number}: {outcome}; {trial.architecture.summary} {standing}"


def climbed(trial: Trial) -> str:
    """Say what PSNR a trained candidate has on each of its rungs."""
    if len(trial.rungs) < 2:
        return f"{trial.psnr:.2f} dB"
    steps = f" after {trial.rungs[-1].steps:,} steps"
    failed = f", then failed: {trial.reason}" if trial.reason else ""
    return " -> ".join(f"{rung.psnr:.2f}" for rung in trial.rungs) + f" dB{steps}{failed}"
