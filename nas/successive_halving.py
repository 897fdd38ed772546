"""Who trains on: each candidate trains a little, and only the best of a rung are promoted to the next.

Asynchronous successive halving (Li et al., MLSys 2020) with several objectives: who is ready may be promoted at once,
nobody waits for a rung to fill.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sr.errors import InputError
from sr.pareto import crowding, non_dominated_sort

# Of each front so many in a row are the best by PSNR, and the next one is who stands most alone.
_SPREAD_EVERY = 3


@dataclass(frozen=True)
class Ladder:
    """How many steps a candidate has trained in all after each rung, and that one of `eta` is promoted.

    Raises InputError where the steps do not rise or `eta` is less than 2.
    """

    steps: tuple[int, ...]
    eta: int = 4

    def __post_init__(self) -> None:
        if self.eta < 2:
            raise InputError(f"one of at least 2 candidates of a rung is promoted, got one of {self.eta}")
        if not self.steps or any(more <= less for less, more in zip((0, *self.steps), self.steps, strict=False)):
            raise InputError(
                f"each rung must take more steps than the one before, got {list(self.steps)}: train longer"
            )

    @property
    def top(self) -> int:
        """The number of the last rung, counted from 0."""
        return len(self.steps) - 1

    def more_steps(self, rung: int) -> int:
        """Return the steps that a rung adds to those of the rung before."""
        return self.steps[rung] - (self.steps[rung - 1] if rung else 0)


def ladder(steps: int, rungs: int = 3, eta: int = 4) -> Ladder:
    """Return the ladder to a full training of `steps`, each rung 1/eta of the next; InputError where one adds none."""
    # With an eta of 0 it is the ladder's constraint that speaks.
    return Ladder(tuple(round(steps / max(1, eta) ** below) for below in reversed(range(rungs))), eta)


@dataclass(frozen=True)
class Rung:
    """What a candidate reached on a rung.

    Attributes:
        steps: Trained in all.
        psnr: dB on RGB.
        seconds: That this rung took.
        psnr_y: dB on Y; None in records of earlier versions.
    """

    steps: int
    psnr: float
    seconds: float
    psnr_y: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.psnr):
            raise ValueError(f"the PSNR of a rung is finite, got {self.psnr}")

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal rung."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Rung":
        """Make the rung that `to_json` described."""
        return cls(**values)


@dataclass(frozen=True)
class Candidate:
    """A candidate on the ladder: its objectives besides the quality, and the rungs that it finished.

    key: its architecture's. state: `training` on the rung after those, `failed` there, or `waiting`. beside: whether it
    trains on with one that did, as it is that one in another training form or larger, which the first rung does not
    judge well.
    """

    key: str
    runtime_ms: float
    activations: float
    rungs: tuple[Rung, ...] = ()
    feasible: bool = True
    state: Literal["waiting", "training", "failed"] = "waiting"
    beside: bool = False

    def promoted_from(self, rung: int) -> bool:
        """Return whether it began the rung after this one."""
        return len(self.rungs) > rung + 1 or (len(self.rungs) == rung + 1 and self.state != "waiting")


PromotionScore = Callable[[Candidate, int], float]


def rung_psnr(candidate: Candidate, rung: int) -> float:
    """Score a candidate by the PSNR in dB that it has on a rung; `nas.predictors` has better ones."""
    return candidate.rungs[rung].psnr


def promotable(candidates: Iterable[Candidate], ladder: Ladder, score: PromotionScore = rung_psnr) -> str | None:
    """Return the key of the candidate that trains on by one rung; None where it is time to start another.

    From the top rung down: the best of its `promotion_quota` that was not promoted yet; then who trains on beside
    another. What is over the budget counts among them and is never promoted. score: what is ranked by on a rung, more
    is better.
    """
    known = list(candidates)
    for rung in reversed(range(ladder.top)):
        order = ranked(known, rung, score)
        for candidate in order[: promotion_quota(len(order), rung, ladder.eta)]:
            if candidate.feasible and not candidate.promoted_from(rung):
                return candidate.key
    joining = (each for each in known if each.beside and each.feasible and each.rungs and not each.promoted_from(0))
    return min((each.key for each in joining), default=None) if ladder.top else None


def promotion_quota(finished: int, rung: int, eta: int) -> int:
    """Return how many of those that finished a rung go on: 1/eta of them, rounded down.

    Above the first rung at least one does, the first of its rung at once: what a full training gives is known early,
    and even a short search ends with one.
    """
    return max(finished // eta, min(rung, finished, 1))


def ranked(candidates: Iterable[Candidate], rung: int, score: PromotionScore = rung_psnr) -> list[Candidate]:
    """Return those that finished a rung, best first: within the budget, then front by front.

    The fronts are those of (-score, runtime, activations). The order does not depend on that of the candidates.
    """
    finished = sorted((each for each in candidates if len(each.rungs) > rung), key=lambda candidate: candidate.key)
    by_key = {candidate.key: candidate for candidate in finished}
    ordered: list[str] = []
    for feasible in (True, False):
        points = {
            each.key: (-score(each, rung), each.runtime_ms, each.activations)
            for each in finished
            if each.feasible is feasible
        }
        for layer in non_dominated_sort(points):
            ordered += _spread({key: points[key] for key in sorted(layer)})
    return [by_key[key] for key in ordered]


def _spread(front: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the keys of a front by its first objective, but every third the one that stands most alone.

    So the best PSNR leads and the ends of the front are not lost, few as the promotions may be.
    """
    by_first = sorted(front, key=lambda key: (*front[key], key))
    alone = crowding(front)
    by_alone = sorted(by_first, key=lambda key: -alone[key])
    ordered: dict[str, None] = {}
    # Each goes on where it was: what lies before was taken.
    first, lone = iter(by_first), iter(by_alone)
    while len(ordered) < len(front):
        turn = lone if len(ordered) % _SPREAD_EVERY == _SPREAD_EVERY - 1 else first
        ordered[next(key for key in turn if key not in ordered)] = None
    return list(ordered)


def stale_keys(
    candidates: Iterable[Candidate], ladder: Ladder, expected: int, score: PromotionScore = rung_psnr
) -> list[str]:
    """Return the keys of the waiting and failed candidates that will hardly be promoted, so that their weights may go.

    expected: how many candidates the first rung will have seen in the end. Those that finished the top rung stay.
    """
    known = list(candidates)
    lost = [each for each in known if each.state == "failed" or not each.feasible]
    gone = [each.key for each in lost if each.state != "training" and len(each.rungs) <= ladder.top]
    for rung in range(ladder.top):
        order = ranked(known, rung, score)
        kept = promotion_quota(max(len(order), expected // ladder.eta**rung), rung, ladder.eta)
        here = [each for each in order[kept:] if len(each.rungs) == rung + 1 and each.state == "waiting"]
        gone += [each.key for each in here if each.feasible and (rung or not each.beside)]
    return gone
