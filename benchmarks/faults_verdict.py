"""What a record holds after faults against what the processes that wrote it know of."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.optuna_backend.stored import recorded
from nas.optuna_backend.times import trial_times
from nas.trial import Trial, trained_once
from sr.pareto import dominates


def verdict(storage: str, told: Sequence[Mapping[str, Any]], fronts: Sequence[Path]) -> dict[str, Any]:
    """Return what the record holds against what the processes know of.

    Args:
        storage: Of the record.
        told: What each process said that it told: the number, the key and the state of a trial.
        fronts: The tables of the front that they left, where each is done.
    """
    _, trials = recorded(storage)
    by_number = {trial.number: trial for trial in trials}
    lost = [
        line for line in told
        if line["told"] not in by_number or by_number[line["told"]].architecture.key != line["key"]
    ]  # fmt: skip
    keys = Counter(trial.architecture.key for trial in trials if trial.duplicate_of is None)
    twice = sum(count - 1 for count in keys.values())
    # One that was put off as the device was busy is told again, and trained once.
    trained = Counter(line["told"] for line in told if line["state"] == "trained")
    told_twice = sum(count - 1 for count in trained.values())
    # A repeat has what the trial had then that it repeats.
    open_ones = [trial.number for trial in trials if trial.state == "put off" and trial.duplicate_of is None]
    unexplained = [trial.number for trial in trials if trial.state == "failed" and not trial.reason]
    # Who ends last knows of all; who ended before may lack what was put off until the device was calm.
    left = sorted((path for path in fronts if path.exists()), key=lambda path: path.stat().st_mtime_ns)
    anew = sorted(front_anew(trials))
    return {
        "trials": len(trials),
        "states": dict(Counter(trial.state for trial in trials)),
        "lost": len(lost),
        "twice": twice + told_twice,
        "unexplained": len(open_ones) + len(unexplained) + trial_times(storage).in_hand,
        "front": len(anew),
        "front_is_the_same": bool(left) and front_in(left[-1]) == anew,
    }


def front_anew(trials: list[Trial]) -> list[int]:
    """Return the numbers of the trials that no other dominates, each compared with each."""
    trained = trained_once(trials)
    return [
        trial.number for trial in trained
        if not any(dominates(other.objectives, trial.objectives) for other in trained if other is not trial)
    ]  # fmt: skip


def front_in(path: Path) -> list[int]:
    """Return the numbers in a table of a front."""
    _, *rows = path.read_text("utf-8").splitlines()
    return sorted(int(row.partition(",")[0]) for row in rows)


def describe(found: dict[str, Any]) -> str:
    """Say what became of the record."""
    states = ", ".join(f"{count} {state}" for state, count in found["states"].items())
    same = "equal to" if found["front_is_the_same"] else "NOT equal to"
    return (
        f"{found['trials']} trials ({states}); lost {found['lost']}, twice {found['twice']}, without an end or "
        f"a reason {found['unexplained']}, tracebacks {found['tracebacks']}; front of {found['front']} {same} the one "
        f"computed anew; {found['redone_seconds']:.0f} s redone of {found['seconds']:.0f} s; {found['starts']} starts"
        + (f"; BROKE OFF: {found['broke']}" if found["broke"] else "")
    )
