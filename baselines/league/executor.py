"""Who does the trainings of a league: this process, one after another, or several processes beside it at once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from baselines.league.entries import Entry
from baselines.league.setup import Setup
from sr.executors.executor import Executor, in_order
from sr.executors.in_process import InThisProcess
from sr.executors.processes import Processes
from sr.progress import Report, Step, no_report
from sr.training.recipe import Recipe
from sr.worker_process import in_shared_memory

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


def executor(workers: int, setup: Setup) -> Executor[Setup]:
    """Return what does so many trainings at once: this process for one.

    Raises:
        InputError: Where the pictures do not fit where all processes read them.
    """
    if workers == 1:
        return InThisProcess(setup)
    val = {name: in_shared_memory(each) for name, each in setup.val.items()}
    shared = replace(setup, train=in_shared_memory(setup.train), val=val)
    return Processes(_same, [shared] * workers, setup.target.device)


def done_in_order(work: Work[T], tasks: Sequence[Task], by: Executor[Setup]) -> Iterator[T]:
    """Yield what the work returns for each task, in their order.

    In this process a task reports every few steps, in another when it is done. Raises what the work raises, and
    WorkerDiedError where its process is killed.
    """
    here = by.workers == 1
    arguments = [(task.entry, task.recipe, task.report if here else no_report) for task in tasks]
    for task, result in zip(tasks, in_order(by, partial(_do, work), arguments), strict=True):
        if not here:
            task.report(Step(task.entry.title, task.steps, task.steps, "step", 0.0, ended=True))
        yield result


def _do(work: Work[T], setup: Setup, arguments: tuple[Entry, Recipe, Report]) -> T:
    """Do the work of a task."""
    entry, recipe, report = arguments
    return work(entry, recipe, setup, report)


def _same(setup: Setup) -> Setup:
    """Return the state of a worker: what all entries share."""
    return setup
