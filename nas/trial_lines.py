"""What is told of a search while it goes on: a line for each outcome, and how all of it stands."""

import math
from collections import Counter
from collections.abc import Sequence

from nas.time_budget import TimeBudget
from nas.trial import Trial, front_of
from sr.progress import Standing, duration


def trial_line(trial: Trial, trials: Sequence[Trial], time_budget: TimeBudget) -> str:
    """Say what became of a trial, and how the search stands."""
    if trial.state == "trained" and trial.measurement is not None:
        runtime = trial.measurement.runtime
        doubt = "" if runtime.reliable else ", unreliable"
        outcome = f"{_psnr_by_rung(trial)}, {runtime.median_ms:.1f} ms (p90 {runtime.p90_ms:.1f}{doubt})"
    else:
        outcome = f"{trial.state}: {trial.reason}"
    left = f", {duration(max(0, time_budget.search_left))} left to search" if math.isfinite(time_budget.seconds) else ""
    ahead = _ahead(trials)
    best = "none within the budget yet" if ahead is None else f"best {ahead.last_psnr:.2f} dB"
    stands = f"[{best}, front {len(front_of(trials))}{left}]"
    return f"trial {trial.number}: {outcome}; {trial.architecture.summary} {stands}"


def standing(trials: Sequence[Trial], volume: float, time_budget: TimeBudget) -> Standing:
    """Return how a search stands as a whole.

    Args:
        trials: All of them so far.
        volume: That the front dominates, as `nas.stopping` has it; 0 while there is none.
        time_budget: When the search ends.
    """
    once = [each for each in trials if each.duplicate_of is None]
    counts = Counter(each.state for each in once)
    judged = counts["trained"] + counts["infeasible"]
    others = [f"{counts[state]} {state}" for state in ("put off", "failed") if counts[state]]
    tried = f"{len(once)} tried, {counts['trained']} trained"
    share = f", {100 * counts['trained'] / judged:.0f} % within the budget" if judged else ""
    ahead, size, grown = _ahead(trials), len(front_of(trials)), f", hypervolume {volume:.3g}" if volume else ""
    best = "none within the budget yet"
    if ahead is not None:
        best = f"{ahead.last_psnr:.2f} dB, {ahead.runtime_ms:.1f} ms: {ahead.architecture.summary}"
    facts = (
        ("candidates", ", ".join([tried + share, *others])),
        ("best", best),
        ("front", f"{size} network{'' if size == 1 else 's'}{grown}"),
    )
    ends_at = time_budget.began + time_budget.seconds if math.isfinite(time_budget.seconds) else math.inf
    return Standing(facts, ends_at)


def _ahead(trials: Sequence[Trial]) -> Trial | None:
    """Return the candidate that promises most so far."""
    return max((each for each in trials if each.state == "trained"), key=lambda each: each.sort_key, default=None)


def _psnr_by_rung(trial: Trial) -> str:
    """Say what PSNR a trained candidate has on each of its rungs, on RGB and of the last one on Y."""
    last = trial.rungs[-1] if trial.rungs else None
    luma = "" if last is None or last.psnr_y is None else f" (Y {last.psnr_y:.2f})"
    if len(trial.rungs) < 2:
        return f"{trial.psnr:.2f} dB{luma}"
    steps = f" after {trial.rungs[-1].steps:,} steps"
    failed = f", then failed: {trial.reason}" if trial.reason else ""
    return " -> ".join(f"{rung.psnr:.2f}" for rung in trial.rungs) + f" dB{luma}{steps}{failed}"
