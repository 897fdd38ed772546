"""What is left of the rounds of a pruning, and how that becomes less where the time runs out."""

from collections.abc import Collection
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Pace:
    """What is left of the rounds.

    Attributes:
        rounds: How many; the fewer, the more each of them drops.
        tick_steps: Of each.
        tock_steps: Of each.
    """

    rounds: int
    tick_steps: int
    tock_steps: int


def slowed(
    left: Pace, round_seconds: float, seconds: float, *, given: Collection[str] = (), least: tuple[int, int]
) -> Pace:
    """Return what is left so that it fits into the time: fewer rounds, and where one is left a shorter one.

    Args:
        left: What is left, of which at least one round is kept.
        round_seconds: What a round takes.
        seconds: The time that is left.
        given: What stays as it is, by the names of `Pace`.
        least: Steps of a tick and of a tock that are kept at least.
    """
    if left.rounds * round_seconds <= seconds:
        return left
    rounds = left.rounds if "rounds" in given else min(left.rounds, max(1, int(seconds / round_seconds)))
    if rounds * round_seconds <= seconds:
        return replace(left, rounds=rounds)
    share = max(0.0, seconds) / (rounds * round_seconds)
    ticks, tocks = (
        steps if name in given else min(steps, max(fewest, int(share * steps)))
        for name, steps, fewest in zip(
            ("tick_steps", "tock_steps"), (left.tick_steps, left.tock_steps), least, strict=True
        )
    )
    return Pace(rounds, ticks, tocks)
