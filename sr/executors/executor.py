"""What does pieces of work, some at once: the protocol."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Concatenate, ParamSpec, Protocol, Self, TypeVar

from sr.errors import InputError

P = ParamSpec("P")
S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)
T = TypeVar("T")
A = TypeVar("A")


class WorkerDiedError(InputError):
    """A process that worked was killed: what it was at is lost, and nothing else."""


class Executor(Protocol[S_co]):
    """So many pieces of work at once; a context that waits for them, and in an error ends them.

    Each worker has a state of its own, of type S: what its work finds there, and keeps there for the next.
    """

    @property
    def workers(self) -> int:
        """How many pieces of work are done at once."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def submit(self, work: Callable[Concatenate[S_co, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Hand a piece of work to the next idle worker.

        Args:
            work: Of a module's own, so that other processes find it; it is given the worker's state first.
            args: What else it is given.
            kwargs: Likewise, by name.

        Returns:
            What becomes of it: what the work returns or raises, or WorkerDiedError where its process is killed.
        """
        ...

    def start(self) -> None:
        """Start all workers, so that no work waits for its own; raises WorkerDiedError where one dies at once."""
        ...

    def everywhere(self, work: Callable[Concatenate[S_co, P], T], *args: P.args, **kwargs: P.kwargs) -> list[T]:
        """Do the same in all started workers at once and wait for it; raises WorkerDiedError where one dies."""
        ...


def in_order(executor: Executor[S], work: Callable[[S, A], T], items: Iterable[A]) -> Iterator[T]:
    """Do a piece of work for each item and yield the outcomes in order; raises what `Executor.submit` does.

    Whatever takes the outcomes sees the first as soon as it is there.
    """
    if executor.workers == 1:
        # An executor in this process has done a piece of work when it is submitted.
        yield from (executor.submit(work, item).result() for item in items)
        return
    for future in [executor.submit(work, item) for item in items]:
        yield future.result()
