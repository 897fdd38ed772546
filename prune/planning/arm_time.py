"""The share of the time that one method has: its rounds are fewer where it runs out, and so are measured plans."""

import math
import time
from collections.abc import Callable, Collection

from prune.planning.time_plan import LEAST_TICK, LEAST_TOCK
from prune.scoring.pace import Pace, slowed


class ArmTime:
    """What one method has from now on.

    Args:
        seconds: In all; infinite for no limit.
        round_seconds: What a round takes, before one was taken.
        measuring: Seconds that are kept for choosing the last steps by measuring.
        tock_seconds: What the tock takes that follows the last choice.
        given: What a user asked for and what therefore stays as it is, by the names of `Pace`.
        may_end_early: Whether rounds that no time is left for are left out, for each is a result of its own; else the
            last one goes all the way that is left.
        clock: The time in seconds.
    """

    def __init__(
        self,
        seconds: float = math.inf,
        *,
        round_seconds: float = 0.0,
        measuring: float = 0.0,
        tock_seconds: float = 0.0,
        given: Collection[str] = (),
        may_end_early: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._ends = clock, clock() + seconds
        self._round_seconds, self._measuring, self._tock_seconds = round_seconds, measuring, tock_seconds
        self._given, self._may_end_early = given, may_end_early
        self._round_began: float | None = None

    def pace(self, left: Pace) -> Pace:
        """Return what is left of the rounds, asked before each: by what the last one took."""
        now = self._clock()
        if self._round_began is not None:
            self._round_seconds = now - self._round_began
        self._round_began = now
        seconds = self._ends - now - self._measuring
        if self._may_end_early:
            return left if self._round_seconds <= seconds else Pace(0, left.tick_steps, left.tock_steps)
        return slowed(left, self._round_seconds, seconds, given=self._given, least=(LEAST_TICK, LEAST_TOCK))

    def may_measure(self) -> bool:
        """Return whether another plan may be measured before the last tock."""
        return self._clock() + self._tock_seconds < self._ends
