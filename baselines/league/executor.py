"""Who does the trainings of a league: this process, one after another, or several processes beside it at once."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Protocol, Self, TypeVar

import torch

from baselines.league.entries import Entry
from baselines.league.setup import Setup
from sr.errors import InputError
from sr.progress import Report, Step, no_report
from sr.training.recipe import Recipe
from sr.worker_process import begin, in_shared_memory

T = TypeVar("T")
# Of an entry, by a recipe; what is returned is in the setup's folder too. Of a module's own, so that others find it.
Work = Callable[[Entry, Recipe, Setup, Report], T]


@dataclass(frozen=True)
class Task:
    """Work to be done.

    Attributes:
        entry: On what.
        recipe: Autotuned for it, with the rate and the seed.
        steps: How many the work takes in all.
        report: Is told of them.
    """

    entry: Entry
    recipe: Recipe
    steps: int
    report: Report


class Executor(Protocol):
    """Does work for one task after the other, or for several at once; a context."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End whatever is still going on."""
        ...

    def in_order(self, work: Work[T], tasks: Sequence[Task]) -> Iterator[T]:
        """Yield what the work returns for each task, in their order."""
        ...


class InThisProcess:
    """Does one after another; each reports every few steps."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def in_order(self, work: Work[T], tasks: Sequence[Task]) -> Iterator[T]:
        """Yield what the work returns for each task, in their order."""
        for task in tasks:
            yield work(task.entry, task.recipe, self._setup, task.report)


class InProcesses:
    """Does so many at once, on a CPU with its threads in equal parts; each reports when it is done.

    Args:
        workers: How many.
        setup: What all entries share; its pictures are moved to where all processes read them.

    Raises:
        InputError: Where they do not fit there.
    """

    def __init__(self, workers: int, setup: Setup) -> None:
        threads = max(1, torch.get_num_threads() // workers)
        val = {name: in_shared_memory(each) for name, each in setup.val.items()}
        shared = replace(setup, train=in_shared_memory(setup.train), val=val)
        # The lifeline closes with this process, however that ends, and each worker reads the other end.
        self._worker_end, self._lifeline = multiprocessing.Pipe(duplex=False)
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(workers, context, _begin, (shared, threads, self._worker_end))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._lifeline.close()
        self._pool.shutdown(cancel_futures=True)
        self._lifeline.close()
        self._worker_end.close()

    def in_order(self, work: Work[T], tasks: Sequence[Task]) -> Iterator[T]:
        """Yield what the work returns for each task, in their order; raises InputError where a process dies."""
        futures = [self._pool.submit(_work_here, work, task.entry, task.recipe) for task in tasks]
        for task, future in zip(tasks, futures, strict=True):
            try:
                result = future.result()
            except BrokenProcessPool as error:
                raise InputError(
                    "a process that trained was killed, perhaps as the machine ran out of memory; the same command "
                    "goes on, with fewer --workers"
                ) from error
            task.report(Step(task.entry.title, task.steps, task.steps, "step", 0.0, ended=True))
            yield result


def executor(workers: int, setup: Setup) -> Executor:
    """Return what does so many trainings at once: this process for one."""
    return InThisProcess(setup) if workers == 1 else InProcesses(workers, setup)


# What a worker process works with: set once, as it begins.
_SETUPS: list[Setup] = []


def _begin(setup: Setup, threads: int, lifeline: Connection) -> None:
    """Make this process a worker of so many threads, which ends with `lifeline`."""
    begin(threads, lifeline)
    _SETUPS.append(setup)


def _work_here(work: Work[T], entry: Entry, recipe: Recipe) -> T:
    """Do the work of a task in a worker process."""
    (setup,) = _SETUPS
    return work(entry, recipe, setup, no_report)
