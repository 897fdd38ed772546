"""What a search expects before it measures: the runtime of a proposal, and the PSNR that it will climb to.

Both only filter and order; what is reported is always measured.
"""

import math
import random
import statistics
import time
from collections.abc import Callable, Sequence

from nas.counting import counts
from nas.engine import accept_all
from nas.evaluate import Setup
from nas.quality_regression import Example, QualityRegression, fit
from nas.rank_correlation import kendall_tau
from nas.rungs import Candidate, Ladder
from nas.runtime_table import RuntimeTable, Sample, in_words
from nas.trial import Trial, trained_once
from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace

# The p90 that the budget is for lies above the median that is predicted, and predictions err both ways: only what is
# hopeless is left out.
MARGIN = 1.2
# Architectures whose pieces tell what the engines will propose.
DRAWS = 200
# Pieces are measured in so many portions, to see in between how the time goes.
PORTION = 10
FIRST = "first rung"
# So many candidates tell of a rung by themselves; with fewer, the more that are on the rung below it know better.
ENOUGH = 12


class Foresight:
    """Expectations that grow with the trials; equal trials give equal ones, so that a resumed study goes on the same.

    table: the runtimes of pieces on this device. A network with a piece that is not known has no prediction.
    possible: what can be judged at all, such as what has weights in the supernet once that is there.
    """

    def __init__(self, table: RuntimeTable, setup: Setup, ladder: Ladder) -> None:
        self.pieces, self.table = table, table
        self.setup, self.ladder = setup, ladder
        self.quality: QualityRegression = fit([], (FIRST,))
        self.foretold = min(1, ladder.top)
        self.trusts_regression = False
        self.spread = 1.0
        # Of the first rung, which all trained candidates finished, from what is known before any training.
        self.untrained: QualityRegression = fit([])
        self.trusts_hope = False
        self.by_key: dict[str, Trial] = {}
        self.learnt = -1
        self.possible: Callable[[Architecture], bool] = accept_all

    def learn(self, trials: Sequence[Trial]) -> None:
        """Take in what was measured since."""
        known = sum(1 + len(trial.rungs) for trial in trials)
        if known == self.learnt:
            return
        self.learnt = known
        samples = [sample for trial in trials if (sample := self.sample(trial)) is not None]
        self.table = self.pieces.corrected(samples) if samples else self.pieces
        self.spread = spread_of(trials)
        trained = trained_once(trials)
        self.by_key = {trial.architecture.key: trial for trial in trained}
        self.foretold = telling_rung(trained, self.ladder)
        examples = [example(trial, self.foretold) for trial in trained if len(trial.rungs) > self.foretold]
        self.quality = fit(examples, (FIRST,))
        self.trusts_regression = beats(self.quality, examples, lambda each: each.cheap_psnr[FIRST])
        first = [example(trial, 0) for trial in trained if trial.rungs]
        self.untrained = fit(first)
        self.trusts_hope = beats(self.untrained, first, lambda each: each.complexity.multi_adds)

    def sample(self, trial: Trial) -> Sample | None:
        """Return a measured trial as the table learns from it."""
        measured = trial.measurement
        if measured is None or trial.duplicate_of is not None or not self.pieces.knows(trial.architecture):
            return None
        if measured.runtime.median_ms > 3 * self.setup.budget_ms:
            # Where nothing will be proposed any more, a correction need not be right.
            return None
        return Sample(trial.architecture, measured.runtime.median_ms, measured.reference_ms)

    def promising(self, architecture: Architecture) -> bool:
        """Tell whether a proposal may be within the budget, and be judged."""
        if not self.possible(architecture):
            return False
        if not self.pieces.knows(architecture):
            return True
        return self.table.predict(architecture) <= MARGIN * self.setup.budget_ms

    def hope(self, architecture: Architecture) -> float:
        """Return what to hope for on the first rung: the PSNR that is expected, and one standard deviation more.

        Only its order means something: until a regression ranks networks that it did not see better than multiply-adds
        do, it is theirs. What is likely to be over the budget is less than all else, the less the slower.
        """
        if self.pieces.knows(architecture):
            likely_p90 = self.spread * self.table.predict(architecture)
            if likely_p90 > self.setup.budget_ms:
                return -likely_p90
        counted = counts(architecture, self.setup.lr_size)
        if not self.trusts_hope:
            return math.log10(counted.multi_adds)
        expected = self.untrained.predict(architecture, counted, {})
        return max(0.0, expected.psnr + expected.std)

    def rating(self, candidate: Candidate, rung: int) -> float:
        """Return what candidates of a rung are ranked by.

        That is the PSNR of the rung, or what is expected on a later one where that has ranked better so far.
        """
        trial = self.by_key.get(candidate.key)
        if rung or not self.trusts_regression or trial is None or trial.measurement is None:
            return candidate.rungs[rung].psnr
        return self.quality.predict(trial.architecture, trial.measurement.complexity, cheap(trial)).psnr

    def lines(self) -> list[str]:
        """Say how far the expectations were right on networks that they did not see."""
        used = "proposed" if self.trusts_hope else "did not propose, as multiply-adds ranked no worse"
        found = [
            f"Foresight: {in_words(self.table.error())}.",
            f"Foresight of the first rung: {self.untrained.in_words()}; it {used}.",
        ]
        if not self.ladder.top:
            return found
        used = "is what promoted" if self.trusts_regression else "promoted nobody, as the first rung ranked no worse"
        return [
            *found,
            f"Foresight of rung {self.foretold + 1}: {self.quality.in_words()}; it {used}.",
        ]


def spread_of(trials: Sequence[Trial]) -> float:
    """Return how far the 90th percentile of a runtime lies above its median, as a factor; 1 before any is known.

    Of reliable runtimes: what is hopeless is timed so seldom that it has no spread.
    """
    runtimes = [each.measurement.runtime for each in trials if each.measurement and each.measurement.runtime.reliable]
    return statistics.median(each.p90_ms / each.median_ms for each in runtimes) if runtimes else 1.0


def telling_rung(trained: Sequence[Trial], ladder: Ladder) -> int:
    """Return the rung whose PSNR is worth to foretell: the highest that ENOUGH finished, else the second."""
    for rung in reversed(range(2, ladder.top + 1)):
        if sum(len(trial.rungs) > rung for trial in trained) >= ENOUGH:
            return rung
    return min(1, ladder.top)


def example(trial: Trial, rung: int) -> Example:
    """Return a candidate that finished a rung as the regression learns from it."""
    assert trial.measurement is not None
    return Example(trial.architecture, trial.measurement.complexity, cheap(trial), trial.rungs[rung].psnr)


def beats(quality: QualityRegression, examples: Sequence[Example], score: Callable[[Example], float]) -> bool:
    """Tell whether a regression ranks networks that it did not see better than a score does that is there anyway."""
    if quality.error.tau is None:
        return False
    there = kendall_tau([each.psnr for each in examples], [float(score(each)) for each in examples])
    return there is None or quality.error.tau > there


def cheap(trial: Trial) -> dict[str, float]:
    """Return the PSNR of the first rung."""
    return {FIRST: trial.psnr}


def measure_pieces(table: RuntimeTable, space: SearchSpace, seconds: float) -> bool:
    """Measure the pieces that a search is likely to meet, the seeds' first, for so many seconds; tell whether all are.

    What is known of this device already takes no time.
    """
    began = time.monotonic()
    rng = random.Random(0)  # noqa: S311 - a draw, no secret
    wanted = [*space.seeds, *(space.decode(space.sample(rng)) for _ in range(DRAWS))]
    for first in range(0, len(wanted), PORTION):
        if time.monotonic() - began > seconds:
            break
        table.measure(wanted[first : first + PORTION])
    table.save()
    return all(table.knows(architecture) for architecture in wanted)
