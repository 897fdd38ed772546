"""The loop of a search: ask, evaluate, tell, until the trials or the time for them are used up."""

import math
import statistics
from pathlib import Path

from nas.engine import Engine
from nas.evaluate import Setup, evaluate_candidate
from nas.report import write_tables
from nas.schedule import Schedule
from nas.trial import Trial, front_of
from search_spaces.architecture import Architecture
from sr.command import say
from sr.progress import duration

# So many proposals in a row that were all evaluated before: the space, or what the engine sees of it, is exhausted.
STALE_PROPOSALS = 200
# So many different networks, the smallest of the space among them, and none within the budget: none will be.
HOPELESS_TRIALS = 30


def propose(engine: Engine, setup: Setup, schedule: Schedule, out: Path) -> None:
    """Ask, evaluate and tell until the trials or the time for them are used up."""
    engine.remember(engine.settings | {"phase": "search"})
    known = {trial.architecture.key: trial for trial in engine.trials if trial.duplicate_of is None}
    stale = 0
    while schedule.goes_on(len(engine.trials), typical_seconds(engine.trials)):
        if stale >= STALE_PROPOSALS or is_hopeless(known):
            break
        number, architecture = engine.ask()
        try:
            trial = repeat_or_evaluate(number, architecture, known, setup)
        except BaseException:
            engine.abandon(number)
            raise
        engine.tell(trial)
        write_tables(out, engine.trials)
        stale = stale + 1 if trial.duplicate_of is not None else 0
        if trial.duplicate_of is None:
            known[architecture.key] = trial
            say(trial_line(trial, engine.trials, schedule))


def repeat_or_evaluate(number: int, architecture: Architecture, known: dict[str, Trial], setup: Setup) -> Trial:
    """Return the known outcome of an equal network, else evaluate it."""
    before = known.get(architecture.key)
    if before is None:
        return evaluate_candidate(number, architecture, setup)
    return Trial(number, architecture, before.state, before.measurement, before.reason, 0.0, before.number)


def is_hopeless(known: dict[str, Trial]) -> bool:
    """Tell whether enough was measured to give the budget up."""
    return len(known) >= HOPELESS_TRIALS and all(trial.state == "infeasible" for trial in known.values())


def typical_seconds(trials: list[Trial]) -> float:
    """Return the median length of a trained candidate's trial."""
    lengths = [trial.seconds for trial in trials if trial.state == "trained" and trial.duplicate_of is None]
    return statistics.median(lengths) if lengths else 0.0


def trial_line(trial: Trial, trials: list[Trial], schedule: Schedule) -> str:
    """Say what became of a trial, and how the search stands."""
    if trial.state == "trained" and trial.measurement is not None:
        runtime = trial.measurement.runtime
        doubt = "" if runtime.reliable else ", unreliable"
        outcome = f"{trial.psnr:.2f} dB, {runtime.median_ms:.1f} ms (p90 {runtime.p90_ms:.1f}{doubt})"
    else:
        outcome = f"{trial.state}: {trial.reason}"
    left = f", {duration(max(0, schedule.search_left))} left to search" if math.isfinite(schedule.seconds) else ""
    trained = [other.psnr for other in trials if other.state == "trained"]
    best = f"best {max(trained):.2f} dB" if trained else "none within the budget yet"
    standing = f"[{best}, front {len(front_of(trials))}{left}]"
    return f"trial {trial.number}: {outcome}; {trial.architecture.summary} {standing}"
