"""Work that is done in this process, a piece at a time."""

from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Concatenate, Generic, ParamSpec, Self, TypeVar

S = TypeVar("S")
P = ParamSpec("P")
T = TypeVar("T")


class InThisProcess(Generic[S]):
    """Does a piece of work when it is submitted; see `sr.executors.executor.Executor`.

    Whoever measures submits none meanwhile: the device lock would wait for itself.

    Args:
        state: What the work finds.
    """

    workers = 1

    def __init__(self, state: S) -> None:
        self._state = state

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to wait for."""

    def submit(self, work: Callable[Concatenate[S, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do a piece of work; Ctrl-C ends it and the caller, everything else that it raises is the future's."""
        future: Future[T] = Future()
        try:
            future.set_result(work(self._state, *args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)
        return future

    def start(self) -> None:
        """There is no process to start."""

    def everywhere(self, work: Callable[Concatenate[S, P], T], *args: P.args, **kwargs: P.kwargs) -> list[T]:
        """Do the work here."""
        return [work(self._state, *args, **kwargs)]
