"""What kinds of networks gain by training on: some start slowly and end higher."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas.trial import Trial
from search_spaces.architecture import Architecture

# A kind counts as if so many more of it had gained what all do: equal networks gain the same but for a few hundredths
# of a dB, two kinds may gain a tenth more or less.
_PRIOR = 0.25


@dataclass(frozen=True)
class KindGains:
    """What networks gained from the first rung to the second.

    Attributes:
        of_all: The mean in dB; 0 where none was promoted.
        by_kind: The gains in dB by the kind that most of their blocks are of.
    """

    of_all: float
    by_kind: Mapping[str | None, Sequence[float]]

    @classmethod
    def of(cls, trained: Sequence[Trial]) -> "KindGains":
        """Learn from trained candidates, each network once."""
        by_kind: dict[str | None, list[float]] = {}
        for trial in trained:
            if len(trial.rungs) > 1:
                by_kind.setdefault(trial.architecture.main_kind, []).append(trial.rungs[1].psnr - trial.rungs[0].psnr)
        everything = [gain for gains in by_kind.values() for gain in gains]
        return cls(statistics.mean(everything) if everything else 0.0, by_kind)

    def beyond_others(self, architecture: Architecture) -> float:
        """Return how much more than the mean of all a network is expected to gain, dB; 0 for a kind without any."""
        gains = self.by_kind.get(architecture.main_kind, ())
        return sum(gain - self.of_all for gain in gains) / (len(gains) + _PRIOR)
