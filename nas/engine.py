"""What every way of searching offers: ask and tell with a record that outlives the process, and how to propose."""

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace, Value

# So often a proposal is drawn again where it is unpromising or was seen; the last draw is then taken as it is.
DRAWS = 50


class Engine(Protocol):
    """Proposes architectures; the caller evaluates each and tells what became of it."""

    def ask(self) -> tuple[int, Architecture]:
        """Return the number of a new trial and its architecture."""
        ...

    def tell(self, trial: Trial) -> None:
        """Record the outcome of an asked trial, on disk before returning."""
        ...

    def advance(self, trial: Trial) -> None:
        """Record what became of a told trial on a later rung, on disk before returning."""
        ...

    def abandon(self, number: int) -> None:
        """Give an asked trial back, unfinished: a later `ask` proposes its architecture again."""
        ...

    @property
    def trials(self) -> list[Trial]:
        """Every trial told so far, in this process or before, by number."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """JSON values that the study remembers, such as what its trials were measured on."""
        ...

    def remember(self, settings: dict[str, Any]) -> None:
        """Replace `settings`, on disk before returning."""
        ...


class Proposer(Protocol):
    """Says what to evaluate next, from its terms and what was told, and from nothing else.

    Equal terms, numbers and trials give equal picks, so that a resumed study goes on as an uninterrupted one; a
    proposer may cache what it derived from earlier trials, never draw from a state that a restart would lose.
    """

    def propose(self, number: int, trials: Sequence[Trial]) -> dict[str, Value]:
        """Return the picks of the trial `number`; `trials` are all that were told before, by number."""
        ...


def accept_all(_: Architecture) -> bool:
    """Find every architecture promising."""
    return True


def no_hope(_: Architecture) -> float:
    """Expect the same of every architecture."""
    return 0.0


@dataclass(frozen=True)
class Terms:
    """What a proposer searches, and for what.

    budget_ms: what the p90 of a candidate's runtime must keep to. promising: tells cheaply whether an architecture is
    worth an evaluation, such as by a predicted runtime. hope: tells cheaply what quality to hope for, more is better.
    Both may follow what was told so far, and nothing else.
    """

    space: SearchSpace
    seed: int
    budget_ms: float
    promising: Callable[[Architecture], bool] = accept_all
    hope: Callable[[Architecture], float] = no_hope


def first_worthwhile(
    terms: Terms, trials: Sequence[Trial], draws: Iterable[dict[str, Value]], of: int = 1
) -> dict[str, Value]:
    """Return the first of DRAWS draws whose network is unseen and promising, else the last of them.

    of: of so many first ones the most hopeful.
    """
    seen = {trial.architecture.key for trial in trials}
    picks: dict[str, Value] = {}
    found: list[tuple[Architecture, dict[str, Value]]] = []
    for picks in islice(draws, DRAWS):
        architecture = terms.space.decode(picks)
        if architecture.key not in seen and terms.promising(architecture):
            found.append((architecture, picks))
            if len(found) == of:
                break
    return max(found, key=lambda each: terms.hope(each[0]))[1] if found else picks


def and_nearby(terms: Terms, number: int, draws: Iterable[dict[str, Value]], most: int) -> Iterator[dict[str, Value]]:
    """Draw at most `most` times, then mutate those draws without end.

    For models that are slow to draw from, and that draw the same again where they are sure of themselves: what they
    want is then sought among the neighbours of it.
    """
    drawn: list[dict[str, Value]] = []
    for picks in islice(draws, most):
        drawn.append(picks)
        yield picks
    rng = random.Random(derived_seed(terms.seed, number, most))  # noqa: S311 - no secret
    while True:
        yield terms.space.mutate(rng.choice(drawn), rng, count=rng.choice((1, 2, 3)))


def derived_seed(seed: int, number: int, draw: int = 0) -> int:
    """Return a seed of 64 bits for one draw of one trial that neighbouring numbers do not share."""
    text = f"{seed}/{number}/{draw}" if draw else f"{seed}/{number}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
