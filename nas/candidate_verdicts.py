"""Whether a candidate is within the budget: counted and measured, and measured again where the device was busy."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from nas.trial import State, Trial
from nas.verdict import Verdict, calm_speed, rough_verdict_on, verdict_on
from search_spaces.architecture import Architecture
from sr.measure.calm_speed import CalmSpeed
from sr.measure.measurement import Measurement
from sr.progress import Phase, Report, no_report

# A candidate that was put off is measured so often in all, or half as often where nothing else was at work: a device
# that is slower by itself may stay so. Then the likelier verdict stands.
_MOST_MEASUREMENTS = 4
# A device that is slower by less is not worth a word.
_SAID_SLOWDOWN = 1.02

Evaluate = Callable[[int, Architecture], Trial]


class CandidateVerdicts:
    """Measures candidates and says what their runtimes are worth.

    Args:
        evaluate: Counts and measures a candidate: from its number and architecture to a trial that is `measured` or
            `failed`.
        budget_ms: What they are to keep to.
        calm_ms: What the reference network takes when nothing disturbs the device, as earlier searches know it.
        report: Is told what is measured.
    """

    def __init__(
        self, evaluate: Evaluate, budget_ms: float, calm_ms: float | None = None, report: Report = no_report
    ) -> None:
        self._evaluate, self._budget_ms, self._calm_ms, self._report = evaluate, budget_ms, calm_ms, report
        # By number, what each measurement stood for at calm speed, in ms; twice where nothing else was at work.
        self._measured: defaultdict[int, list[float]] = defaultdict(list)

    def of(self, number: int, architecture: Architecture, trials: Sequence[Trial]) -> Trial:
        """Return a candidate that was measured: `measured` where it is within the budget, else what it is.

        trials: all so far, which know how fast the device is when nothing disturbs it.
        """
        return self._judged(self._costed(number, architecture), trials)

    def again(self, put_off: Trial, trials: Sequence[Trial]) -> Trial:
        """Return a candidate that was put off measured again."""
        if not self._measured[put_off.number] and put_off.calm_ms is not None:
            # It was put off before this process came.
            self._measured[put_off.number].append(put_off.calm_ms)
        trial = self._judged(self._costed(put_off.number, put_off.architecture), trials)
        return replace(trial, seconds=put_off.seconds + trial.seconds)

    def least_measured(self, put_off: Sequence[Trial]) -> Trial:
        """Return which of these is to be measured again first."""
        return min(put_off, key=lambda each: (len(self._measured[each.number]), each.number))

    def _costed(self, number: int, architecture: Architecture) -> Trial:
        """Return a candidate counted and measured."""
        self._report(Phase(f"trial {number}: measuring {architecture.summary}"))
        return self._evaluate(number, architecture)

    def _judged(self, trial: Trial, trials: Sequence[Trial]) -> Trial:
        """Return a measured candidate with the verdict on its runtime; a failed one stays what it is.

        Of several doubtful runtimes at calm speed the median stands: a load slows now the candidate more, now the
        reference beside it.
        """
        measured = trial.measurement
        if trial.state != "measured" or measured is None:
            return trial
        calm = calm_speed(trials, measured, self._calm_ms)
        verdict, doubt, calm_ms = verdict_on(measured, calm, self._budget_ms), "", calm.calm_ms(measured)
        self._measured[trial.number] += [calm_ms] * (1 if measured.runtime.disturbed else 2)
        if verdict == "put off":
            calm_ms = statistics.median(self._measured[trial.number])
            if len(self._measured[trial.number]) >= _MOST_MEASUREMENTS:
                verdict, doubt = rough_verdict_on(calm_ms, calm, self._budget_ms), "the device was never calm"
        states: dict[Verdict, State] = {"within": "measured", "over": "infeasible", "put off": "put off"}
        reason = "" if verdict == "within" else _why(verdict, measured, calm, self._budget_ms, doubt)
        return replace(trial, state=states[verdict], reason=reason, calm_ms=calm_ms)


def _why(verdict: Verdict, measured: Measurement, calm: CalmSpeed, budget_ms: float, doubt: str) -> str:
    """Say why a candidate is not within the budget, or not yet."""
    runtime, slowdown = measured.runtime, calm.slowdown(measured)
    speed = "" if slowdown < _SAID_SLOWDOWN else f" while the device was {slowdown:.2f} times slower than when calm"
    taken = f"{runtime.median_ms:.1f} ms (p90 {runtime.p90_ms:.1f}){speed}"
    if verdict == "put off":
        return f"{taken}: no verdict while the device is busy, measured again later"
    return f"{taken} is over the budget of {budget_ms:g} ms" + (f"; {doubt}" if doubt else "")
