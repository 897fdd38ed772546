"""How many rounds and steps fit into the time there is: arithmetic alone."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sr.progress import duration

# What is planned at the least and at the most where nobody asks for another number. With more time than the default
# there is more fine-tuning, in proportion.
LEAST_ROUNDS, LEAST_TICK, LEAST_TOCK, LEAST_FINE_TUNING = 2, 10, 20, 100
MOST_ROUNDS, MOST_TICK, MOST_TOCK, MOST_FINE_TUNING = 8, 30, 100, 2000
DEFAULT_SECONDS = 900.0
# Of what is left of the time, what is planned: the rest is for what comes otherwise than it was planned.
WORKING_SHARE = 0.93
# In how many sizes a plan is tried.
_SIZES = 200


@dataclass(frozen=True)
class Steps:
    """How much is done.

    Attributes:
        rounds: Of a tick and a tock, for each method.
        tick: Steps of a tick.
        tock: Steps of a tock.
        fine_tune: Steps at the end, of every network.
    """

    rounds: int = MOST_ROUNDS
    tick: int = MOST_TICK
    tock: int = MOST_TOCK
    fine_tune: int = MOST_FINE_TUNING


@dataclass(frozen=True)
class Speeds:
    """What each part takes, in seconds, on the dense network: slim ones are faster.

    Attributes:
        tick: A step of a tick.
        tock: A step of a tock.
        fine_tune: A step of fine-tuning.
        selection: Choosing what to drop, once a round.
        measuring: Choosing the last steps of one method by measuring.
        finish: All that comes last: measuring all networks side by side, validating, exporting, the page.
    """

    tick: float
    tock: float
    fine_tune: float
    selection: float
    measuring: float
    finish: float


@dataclass(frozen=True)
class Phases:
    """What a plan takes, in seconds.

    Attributes:
        rounds: Of all methods.
        measuring: Choosing their last steps.
        fine_tuning: Of all networks, the dense one too.
        finish: What comes last.
    """

    rounds: float
    measuring: float
    fine_tuning: float
    finish: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.rounds + self.measuring + self.fine_tuning + self.finish


def round_seconds(steps: Steps, speeds: Speeds) -> float:
    """Return what a round of one method takes."""
    return steps.tick * speeds.tick + steps.tock * speeds.tock + speeds.selection


def phases(steps: Steps, speeds: Speeds, methods: int) -> Phases:
    """Return what a plan takes where so many methods are compared."""
    return Phases(
        rounds=methods * steps.rounds * round_seconds(steps, speeds),
        measuring=methods * speeds.measuring,
        fine_tuning=(methods + 1) * steps.fine_tune * speeds.fine_tune,
        finish=speeds.finish,
    )


def planned(asked: Mapping[str, int], speeds: Speeds, methods: int, seconds: float, limit: float) -> Steps:
    """Return as much as fits, all parts made smaller alike; what is left over goes into fine-tuning.

    Args:
        asked: What is asked for of `Steps`, by name; it is kept to.
        speeds: What each part takes.
        methods: How many are compared.
        seconds: What is left of the time; infinite for no limit.
        limit: The whole time.

    Returns:
        The plan; where not even the least fits, the least.
    """
    working = WORKING_SHARE * seconds
    for size in range(_SIZES, -1, -1):
        steps = replace(_of_size(size / _SIZES), **asked)
        if phases(steps, speeds, methods).total <= working:
            break
    if "fine_tune" in asked:
        return steps
    beside = replace(phases(steps, speeds, methods), fine_tuning=0.0).total
    return replace(steps, fine_tune=fitting(working - beside, (methods + 1) * speeds.fine_tune, limit))


def fitting(seconds: float, step_seconds: float, limit: float) -> int:
    """Return how many steps of fine-tuning fit.

    Args:
        seconds: Into so much time.
        step_seconds: What one step of all networks takes together.
        limit: The whole time that a pruning has: the more, the more steps there are at the most.
    """
    most = round(MOST_FINE_TUNING * max(1.0, limit / DEFAULT_SECONDS)) if math.isfinite(limit) else MOST_FINE_TUNING
    return max(LEAST_FINE_TUNING, math.floor(min(most, seconds / step_seconds)))


def describe(steps: Steps, speeds: Speeds, methods: int, *, left: float, limit: float) -> list[str]:
    """Return the plan in a line or two: what takes how long, and where it is more than the time there is.

    Args:
        steps: The plan.
        speeds: What each part takes.
        methods: How many are compared.
        left: Seconds that are left of the time.
        limit: Seconds in all.
    """
    taken = phases(steps, speeds, methods)
    by = "1 method" if methods == 1 else f"{methods} methods"
    parts = [
        f"{steps.rounds} rounds of {steps.tick} + {steps.tock} steps by {by} {duration(taken.rounds)}",
        f"measuring the last steps {duration(taken.measuring)}",
        *(
            [f"fine-tuning {methods + 1} networks by {steps.fine_tune:,} steps {duration(taken.fine_tuning)}"]
            if steps.fine_tune
            else []
        ),
        f"comparing and exporting {duration(taken.finish)}",
    ]
    lines = [f"plan: {', '.join(parts)}; about {duration(taken.total)} at most"]
    if taken.total > left:
        lines.append(
            f"that is more than what is left of {duration(limit)}: {duration(max(0.0, left))}; it is done all the same"
        )
    return lines


def _of_size(size: float) -> Steps:
    """Return a plan between the least (0) and the most (1)."""
    return Steps(
        rounds=max(LEAST_ROUNDS, round(MOST_ROUNDS * size)),
        tick=max(LEAST_TICK, round(MOST_TICK * size)),
        tock=max(LEAST_TOCK, round(MOST_TOCK * size)),
        fine_tune=max(LEAST_FINE_TUNING, round(MOST_FINE_TUNING * size**2)),
    )
