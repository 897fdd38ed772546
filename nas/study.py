"""The record of a study: which architectures were asked for and what became of them, outliving the process."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from nas.samplers.protocol import Picks
from nas.trial import Trial
from search_spaces.architecture import Architecture

Propose = Callable[[int, Sequence[Trial]], Picks]


class NoneLeftError(Exception):
    """As many trials as there are to be were told, or are being worked on by any process."""


class Study(Protocol):
    """Hands architectures out and records what the caller tells of each; several processes may share one."""

    @property
    def trials(self) -> list[Trial]:
        """Every trial told so far, in this process or before, by number."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """JSON values that the study remembers, such as what its trials were measured on."""
        ...

    def count(self) -> int:
        """Return how many trials there are by now, whatever became of them."""
        ...

    def remember(self, settings: dict[str, Any]) -> None:
        """Add to `settings`, all at once and on disk before returning; what others add meanwhile stays."""
        ...

    def enqueue(self, architectures: Sequence[Architecture]) -> None:
        """Have these asked for next, in this order, each once; nothing where any other was asked for before."""
        ...

    def ask(self, propose: Propose, limit: int | None = None) -> tuple[int, Architecture]:
        """Return the number of a new trial and its architecture: a waiting one, else what `propose` says.

        limit: how many trials there are to be, those of all processes together. Raises NoneLeftError beyond that.
        """
        ...

    def await_others(self, limit: int, goes_on: Callable[[], bool]) -> bool:
        """Wait while the last trials are those of other processes; return whether there is something to do before.

        That is a trial of a process that is lost, or one that was put off and is this process's to measure again.
        goes_on: whether there is time to wait.
        """
        ...

    def others(self) -> frozenset[int]:
        """Return the told trials that another process is to measure again or to train on, not this one.

        They are that one's which asked for them, while it lives and goes on; then one heir's.
        """
        ...

    def holders(self) -> list[str]:
        """Return which other processes work on the study, as far as is known."""
        ...

    def leave(self) -> None:
        """Say that this process goes on no more: what it told is another's from now on."""
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
