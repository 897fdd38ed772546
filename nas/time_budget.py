"""How the time of a search is shared out, and when the proposing ends."""

import math
import time
from dataclasses import dataclass, field

from nas.config.search import DEFAULT_SECONDS

# Kept free, where the limit allows it, for measuring the finalists beside their rivals, validating and exporting.
FINISH_SECONDS = 75.0
# Of these, what comes after the long training.
SHIPPING_SECONDS = 40.0
# The long training gets at least so much of its share, however long measuring the finalists took.
_LEAST_TRAINING = 0.5
# Of the rest, what goes into candidates; the chosen network's long training gets what remains. On two cores the best
# candidates tie within hundredths of a dB from the tenth on, while twice the long training is worth a tenth.
SEARCH_SHARE = 0.45
# Of the time for candidates, what a supernet gets before the first of them.
SUPERNET_SHARE = 0.4


@dataclass(frozen=True)
class TimeBudget:
    """A search's limits: seconds in all (infinite: none) and trials in all (None: as many as the time allows)."""

    seconds: float
    trials: int | None
    began: float = field(default_factory=time.monotonic)

    def trial_steps(self, rungs: int = 1) -> int:
        """Return the steps of a candidate up to the top rung: four times the time, twice the steps and candidates.

        With rungs below it few are promoted to the top, so that it can be higher.
        """
        minutes = (self.seconds if math.isfinite(self.seconds) else DEFAULT_SECONDS) / 60
        return max(20 << 2 * (rungs - 1), round((200 if rungs == 1 else 360) * math.sqrt(minutes)))

    @property
    def working_seconds(self) -> float:
        """Seconds for candidates and the long training together."""
        return max(0.5 * self.seconds, self.seconds - FINISH_SECONDS)

    @property
    def training_share(self) -> float:
        """Seconds that are kept for the long training."""
        return (1 - SEARCH_SHARE) * self.working_seconds

    @property
    def supernet_seconds(self) -> float:
        """Seconds that a supernet trains; infinite without a limit."""
        return SUPERNET_SHARE * SEARCH_SHARE * self.working_seconds

    @property
    def search_left(self) -> float:
        """Seconds left for proposing."""
        return self.began + SEARCH_SHARE * self.working_seconds - time.monotonic()

    def training_seconds(self) -> float:
        """Return the seconds that the chosen network may train from now on: all that is left but for shipping it."""
        if math.isinf(self.seconds):
            return math.inf
        left = self.began + self.seconds - SHIPPING_SECONDS - time.monotonic()
        return max(_LEAST_TRAINING * self.training_share, min(left, self.working_seconds))

    def allows_another(self, done: int, typical_seconds: float) -> bool:
        """Return whether another trial of `typical_seconds` fits after `done` trials."""
        if self.trials is not None and done >= self.trials:
            return False
        return self.search_left > typical_seconds
