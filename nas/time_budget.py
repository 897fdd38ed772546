"""How the time of a search is shared out, and when the proposing ends."""

import math
import time
from dataclasses import dataclass, field

from nas.config.search import DEFAULT_SECONDS

# Kept free, where the limit allows it, for measuring the finalists beside their rivals, validating and exporting.
FINISH_SECONDS = 75.0
# Of these, what comes after the long training.
SHIPPING_SECONDS = 55.0
# The long training gets at least so much of its share, however long measuring the finalists took.
_LEAST_TRAINING = 0.5
# Of the rest, what goes into candidates; the chosen network's long training gets what remains. On two cores the best
# candidates tie within hundredths of a dB from the tenth on, while twice the long training is worth a tenth.
_SEARCH_SHARE = 0.45
# Of the first so many seconds they get this share more: before the first of them the device is found out about.
_OPENING_SECONDS, _OPENING_SHARE = 120.0, 0.25
# Of all seconds: so long a search goes on that has trained no network within the budget yet.
_STILL_NONE_SHARE = 0.75
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
    def search_seconds(self) -> float:
        """Seconds for candidates, with what is found out before them; infinite without a limit."""
        opening = min(self.working_seconds, _OPENING_SECONDS)
        return _SEARCH_SHARE * self.working_seconds + _OPENING_SHARE * opening

    @property
    def training_share(self) -> float:
        """Seconds that are kept for the long training."""
        return math.inf if math.isinf(self.seconds) else self.working_seconds - self.search_seconds

    @property
    def supernet_seconds(self) -> float:
        """Seconds that a supernet trains; infinite without a limit."""
        return SUPERNET_SHARE * self.search_seconds

    @property
    def search_left(self) -> float:
        """Seconds left for proposing."""
        return self.began + self.search_seconds - time.monotonic()

    def left_to_search(self, *, found: bool) -> float:
        """Return the seconds left for proposing; while no network within the budget is trained there are more."""
        return self.search_left if found else self.began + _STILL_NONE_SHARE * self.seconds - time.monotonic()

    def training_seconds(self) -> float:
        """Return the seconds that the chosen network may train from now on: all that is left but for shipping it."""
        if math.isinf(self.seconds):
            return math.inf
        left = self.began + self.seconds - SHIPPING_SECONDS - time.monotonic()
        return max(_LEAST_TRAINING * self.training_share, min(left, self.working_seconds))

    def allows_another(self, done: int, typical_seconds: float | None) -> bool:
        """Return whether another trial fits after `done` trials.

        typical_seconds: of a trained one; None where none is.
        """
        if self.trials is not None and done >= self.trials:
            return False
        return self.left_to_search(found=typical_seconds is not None) > (typical_seconds or 0.0)


def limit_of(search_seconds: float) -> float:
    """Return the time limit of a search whose candidates get so many seconds, some minutes at the least."""
    later = (search_seconds - _OPENING_SHARE * _OPENING_SECONDS) / _SEARCH_SHARE
    return FINISH_SECONDS + max(search_seconds / (_SEARCH_SHARE + _OPENING_SHARE), later)
