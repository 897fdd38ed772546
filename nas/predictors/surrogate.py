"""What a search expects before it measures: the runtime of a proposal, and the PSNR that it will reach.

Both only filter and order; what is reported is always measured.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nas.predictors.feasibility import expected_error, has_free_width
from nas.predictors.kind_gains import KindGains
from nas.predictors.latency import LatencyPredictor, Sample, describe
from nas.predictors.psnr_regression import Example, PsnrRegression, fit
from nas.samplers.protocol import accept_all
from nas.successive_halving import Candidate, Ladder
from nas.trial import Trial, trained_once
from search_spaces.architecture import Architecture
from search_spaces.fast_counts import counts
from sr.lr_size import LrSize
from sr.measure.measurement import Measurement
from sr.rank_correlation import kendall_tau

_FIRST = "first"
# The 80th percentile of a normal error over the median of its size.
_FOUR_OF_FIVE = 1.25
# So many candidates say enough of a rung by themselves; with fewer, the more that are on the rung below it know better.
_ENOUGH = 12
# Networks that take so many times the budget are far from all that will be proposed.
_FAR_OVER = 3
_FEWEST_NEAR = 3
# It learns from so many networks at the most, the latest: of a longer record each outcome would cost a search seconds
# of fitting, and three dozen features say hardly more from twice as many.
_LEARNED = 500


@dataclass(frozen=True)
class _Observed:
    """What was learned from some trials.

    Attributes:
        latency: What predicts runtimes; None where they are not predicted.
        p90_factor: How far the 90th percentile of a runtime lies above its median.
        by_key: The trained candidates by the keys of their architectures.
        first: Of the first rung, which all trained candidates finished, from what is known before any training.
        later_rung: The number of the rung whose PSNR `later` predicts.
        later: Of that rung, from the PSNR of the first one too.
        gains: What kinds of networks gain from the first rung to the second.
        trusts_first: Whether `first` ranks better than multiply-adds do.
        trusts_later: Whether `later` ranks better than the PSNR of the first rung does.
    """

    latency: LatencyPredictor | None
    p90_factor: float
    by_key: Mapping[str, Trial]
    first: PsnrRegression
    later_rung: int
    later: PsnrRegression
    gains: KindGains
    trusts_first: bool
    trusts_later: bool


class Surrogate:
    """Expectations that grow with the trials; equal trials give equal ones, so that a resumed study goes on the same.

    Args:
        latency: Predicts runtimes on this device; None for no predictions.
        budget_ms: What nine runs of ten are to keep to.
        lr_size: Height and width of the LR picture that networks are counted for.
        ladder: The rungs that candidates are trained by.
        is_trainable: Whether an architecture can be judged at all, such as by weights in a supernet.
        widths: Those of the space, ascending.
    """

    def __init__(
        self,
        latency: LatencyPredictor | None,
        budget_ms: float,
        lr_size: LrSize,
        ladder: Ladder,
        is_trainable: Callable[[Architecture], bool] = accept_all,
        widths: Sequence[int] = (),
    ) -> None:
        self._first, self._budget_ms, self._lr_size, self._ladder = latency, budget_ms, lr_size, ladder
        self._is_trainable, self._widths = is_trainable, widths
        self._known: list[tuple[Measurement | None, int]] = []
        self._observed = self._learned([])

    @property
    def latency(self) -> LatencyPredictor | None:
        """What predicts runtimes, by all that was observed; None where they are not predicted."""
        return self._observed.latency

    def observe(self, trials: Sequence[Trial]) -> None:
        """Learn from all trials so far; nothing is to do where none was added, advanced or measured again."""
        known = [(trial.measurement, len(trial.rungs)) for trial in trials]
        if known != self._known:
            self._known, self._observed = known, self._learned(trials)

    def is_predicted_feasible(self, architecture: Architecture) -> bool:
        """Return whether a proposal may be within the budget, can be judged, and has no better one at its runtime."""
        if not self._is_trainable(architecture) or (self.budget_share(architecture) or 0.0) > 1:
            return False
        return self.latency is None or not has_free_width(self.latency, architecture, self._widths)

    def budget_share(self, architecture: Architecture) -> float | None:
        """Return what share of the budget nine runs of ten are likely to keep to, None before anything is known.

        By so much more than is predicted that four of five keep to it where predictions err as they did so far.
        """
        if self.latency is None or not self.latency.is_calibrated:
            return None
        margin = 1 + _FOUR_OF_FIVE * expected_error(self.latency)
        likely_ms = self._observed.p90_factor * margin * self.latency.predict(architecture)
        return likely_ms / self._budget_ms

    def acquisition(self, architecture: Architecture) -> float:
        """Return what a proposal may reach on the first rung: the expected PSNR and one standard deviation more.

        That is the upper confidence bound (Srinivas et al., ICML 2010). Only its order means something: until a
        regression ranks networks that it did not see better than multiply-adds do, it is theirs. What is likely to be
        over the budget is less than all else, the less the slower.
        """
        share = self.budget_share(architecture)
        if share is not None and share > 1:
            return -share
        counted = counts(architecture, self._lr_size)
        if not self._observed.trusts_first:
            return math.log10(counted.multi_adds)
        expected = self._observed.first.predict(architecture, counted, {})
        return max(0.0, expected.psnr + expected.std)

    def promotion_score(self, candidate: Candidate, rung: int) -> float:
        """Return what candidates of a rung are ranked by, more is better.

        That is the PSNR of the rung in dB, or what is expected on a later one where that has ranked better so far; on
        the first rung with what its kind gains on the second beyond others, as far as is known: some start slowly.
        """
        trial = self._observed.by_key.get(candidate.key)
        if rung or trial is None or trial.measurement is None:
            return candidate.rungs[rung].psnr
        if not self._observed.trusts_later:
            return candidate.rungs[rung].psnr + self._observed.gains.beyond_others(trial.architecture)
        return self._observed.later.predict(trial.architecture, trial.measurement.complexity, _cheap(trial)).psnr

    def describe(self) -> list[str]:
        """Say in sentences how far the predictions were right on unseen networks, and what they were used for."""
        seen = self._observed
        used = _used(seen.first, "what was tried next", "multiply-adds", trusted=seen.trusts_first)
        lines = [
            describe(None if seen.latency is None else seen.latency.unseen),
            f"{self._psnr_of(0)} {seen.first.describe()}; {used}.",
        ]
        if self._ladder.top:
            used = _used(seen.later, "which candidates trained on", "the first PSNR", trusted=seen.trusts_later)
            lines.append(f"{self._psnr_of(seen.later_rung)} {seen.later.describe()}; {used}.")
        return lines

    def _psnr_of(self, rung: int) -> str:
        """Name the PSNR of a rung to people."""
        if not self._ladder.top:
            return "The PSNR of a candidate"
        first = ", its first PSNR," if rung == 0 else ""
        return f"The PSNR of a candidate after stage {rung + 1} of {self._ladder.top + 1}{first}"

    def _learned(self, trials: Sequence[Trial]) -> _Observed:
        samples = self._samples(trials)[-_LEARNED:]
        trained = trained_once(trials)
        early = [_example_of(each, 0) for each in _latest(trained, 0)]
        first = fit(early)
        later_rung = _predictable_rung(trained, self._ladder)
        late = [_example_of(each, later_rung) for each in _latest(trained, later_rung)]
        later = fit(late, (_FIRST,))
        return _Observed(
            latency=None if self._first is None else self._first.learned(samples),
            p90_factor=_p90_factor(trials),
            by_key={trial.architecture.key: trial for trial in trained},
            first=first,
            later_rung=later_rung,
            later=later,
            gains=KindGains.of(trained),
            trusts_first=_ranks_better(first, early, lambda each: each.complexity.multi_adds),
            trusts_later=_ranks_better(later, late, lambda each: each.cheap_psnr[_FIRST]),
        )

    def _samples(self, trials: Sequence[Trial]) -> list[Sample]:
        """Return the measured trials as the latency model learns from them.

        What was put off is no verdict. Where nothing will be proposed any more it need not be right, unless there is
        nothing else to learn from.
        """
        measured = [each for each in trials if each.measurement is not None and each.duplicate_of is None]
        samples = [_sample_of(each) for each in measured if each.state != "put off"]
        near = [each for each in samples if each.runtime_ms <= _FAR_OVER * self._budget_ms]
        return near if len(near) >= _FEWEST_NEAR else samples


def _sample_of(trial: Trial) -> Sample:
    """Return a measured trial as the latency model learns from it: at calm speed where that was judged."""
    assert trial.measurement is not None
    if trial.calm_ms is not None:
        return Sample(trial.architecture, trial.calm_ms)
    return Sample(trial.architecture, trial.measurement.runtime.median_ms, trial.measurement.reference_ms)


def _used(regression: PsnrRegression, what: str, instead: str, *, trusted: bool) -> str:
    """Say what predictions were used for, or what was used instead."""
    if trusted:
        return f"predictions chose {what}"
    compared = regression.error.tau is not None
    return f"{instead} chose {what}" + (", ranking no worse than predictions" if compared else "")


def _p90_factor(trials: Sequence[Trial]) -> float:
    """Return how far the 90th percentile of a runtime lies above its median, as a factor; 1 before any is known.

    Of reliable runtimes: what is far over the budget is timed so seldom that it has no spread.
    """
    runtimes = [each.measurement.runtime for each in trials if each.measurement and each.measurement.runtime.reliable]
    return statistics.median(each.p90_ms / each.median_ms for each in runtimes) if runtimes else 1.0


def _predictable_rung(trained: Sequence[Trial], ladder: Ladder) -> int:
    """Return the rung whose PSNR is worth predicting: the highest that _ENOUGH finished, else the second."""
    for rung in reversed(range(2, ladder.top + 1)):
        if sum(len(trial.rungs) > rung for trial in trained) >= _ENOUGH:
            return rung
    return min(1, ladder.top)


def _latest(trained: Sequence[Trial], rung: int) -> list[Trial]:
    """Return those that finished a rung, of more than are learned from the latest."""
    return [trial for trial in trained if len(trial.rungs) > rung][-_LEARNED:]


def _example_of(trial: Trial, rung: int) -> Example:
    """Return a candidate that finished a rung as the regression learns from it."""
    assert trial.measurement is not None
    return Example(trial.architecture, trial.measurement.complexity, _cheap(trial), trial.rungs[rung].psnr)


def _ranks_better(regression: PsnrRegression, examples: Sequence[Example], score: Callable[[Example], float]) -> bool:
    """Return whether a regression ranks networks that it did not see better than a score does that is there anyway."""
    if regression.error.tau is None:
        return False
    # In this order, as in the regression's error: so equal orders give equal numbers, to the last bit.
    there = kendall_tau([float(score(each)) for each in examples], [each.psnr for each in examples])
    return there is None or regression.error.tau > there


def _cheap(trial: Trial) -> dict[str, float]:
    """Return the PSNR of the first rung."""
    return {_FIRST: trial.psnr}
