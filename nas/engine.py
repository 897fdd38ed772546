"""What every way of proposing architectures offers: ask, tell, and a record that outlives the process."""

from typing import Any, Protocol

from nas.trial import Trial
from search_spaces.architecture import Architecture


class Engine(Protocol):
    """Proposes architectures; the caller evaluates each and tells what became of it."""

    def ask(self) -> tuple[int, Architecture]:
        """Return the number of a new trial and its architecture."""
        ...

    def tell(self, trial: Trial) -> None:
        """Record the outcome of an asked trial, on disk before returning."""
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
