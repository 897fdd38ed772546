"""The record of a study: which architectures were asked for and what became of them, outliving the process."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from nas.samplers.protocol import Picks
from nas.trial import Trial
from search_spaces.architecture import Architecture

Propose = Callable[[int, Sequence[Trial]], Picks]


class Study(Protocol):
    """Hands architectures out and records what the caller tells of each."""

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

    def enqueue(self, architectures: Sequence[Architecture]) -> None:
        """Have these asked for next, in this order; nothing where any architecture was asked for or enqueued before."""
        ...

    def ask(self, propose: Propose) -> tuple[int, Architecture]:
        """Return the number of a new trial and its architecture: a waiting one, else what `propose` says."""
        ...

    def tell(self, trial: Trial) -> None:
        """Record the outcome of an asked trial, on disk before returning."""
        ...

    def advance(self, trial: Trial) -> None:
        """Record what became of a told trial on a later rung, on disk before returning."""
        ...

    def abandon(self, number: int) -> None:
        """Give an asked trial back, unfinished: a later `ask` hands its architecture out again."""
        ...
