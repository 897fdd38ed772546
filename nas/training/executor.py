"""Where the trainings of a search are done: in this process, or in processes beside it."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Concatenate, ParamSpec, Protocol, Self, TypeVar

from nas.evaluate import Setup
from nas.training.task import TrainingResult, TrainingTask
from nas.training.worker_state import WorkerState
from sr.errors import InputError

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


class Executor(Protocol):
    """So many trainings at once on the device of a setup; a context that waits for them, and in an error ends them.

    Equal tasks give equal results in every executor as far as the recipe's precision and memory format are autotuned;
    another number of threads may change the last bits.
    """

    @property
    def workers(self) -> int:
        """How many trainings run at once."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def submit(self, task: TrainingTask) -> Future[TrainingResult]:
        """Hand a task to the next idle worker; the future raises InputError as `train_to_rung` does.

        Tasks wait while somebody measures on the device.
        """
        ...

    def in_order(self, work: Callable[[WorkerState, A], T], items: Iterable[A]) -> Iterator[T]:
        """Do a piece of work for each item, as many at once as there are workers, and yield the outcomes in order.

        Raises what the work raises, and InputError where its process dies.
        """
        ...

    def start(self) -> None:
        """Start all workers, so that no task waits for its own."""
        ...

    def everywhere(self, work: Callable[Concatenate[WorkerState, P], T], *args: P.args, **kwargs: P.kwargs) -> list[T]:
        """Do the same in all started workers at once and wait for it; raises BrokenProcessPool where one dies."""
        ...


class InProcessExecutor:
    """One training at a time, in this process: a task is done when `submit` returns.

    Whoever measures submits none meanwhile: the device lock would wait for itself.
    """

    workers = 1

    def __init__(self, setup: Setup) -> None:
        self._state = WorkerState(setup)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to wait for."""

    def submit(self, task: TrainingTask) -> Future[TrainingResult]:
        """Do the task; see `Executor.submit`."""
        future: Future[TrainingResult] = Future()
        try:
            future.set_result(self._state.train(task))
        except InputError as error:
            future.set_exception(error)
        return future

    def in_order(self, work: Callable[[WorkerState, A], T], items: Iterable[A]) -> Iterator[T]:
        """Do the work item by item; see `Executor.in_order`."""
        return (work(self._state, item) for item in items)

    def start(self) -> None:
        """There is no process to start."""

    def everywhere(self, work: Callable[Concatenate[WorkerState, P], T], *args: P.args, **kwargs: P.kwargs) -> list[T]:
        """Do the work here; see `Executor.everywhere`."""
        return [work(self._state, *args, **kwargs)]
