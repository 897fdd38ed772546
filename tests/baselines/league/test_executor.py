"""What does the work does all of it, in order, wherever it runs."""

from dataclasses import replace

import pytest

from baselines.league.entries import Entry
from baselines.league.executor import Task, done_in_order, executor
from baselines.league.learning_rate import choose
from baselines.league.setup import Setup
from baselines.league.training import train
from sr.errors import InputError
from sr.executors.in_process import InThisProcess
from sr.progress import Event, Step


@pytest.mark.parametrize("workers", [1, 2])
def test_work_is_done_for_every_task_in_order(workers: int, by_hand: Entry, searched: Entry, setup: Setup) -> None:
    events: list[Event] = []
    recipe = replace(setup.recipe, memory_format="contiguous")
    tasks = [
        Task(each, replace(recipe, seed=seed), 4, events.append) for seed in (1, 0) for each in (by_hand, searched)
    ]
    with executor(workers, setup) as doing:
        assert isinstance(doing, InThisProcess) == (workers == 1)
        results = list(done_in_order(train, tasks, by=doing))
        choices = list(done_in_order(choose, tasks[:1], by=doing))
    assert [each.seed for each in results] == [1, 1, 0, 0]
    assert [rate for rate, _ in choices[0].psnr] == list(setup.rates)
    ended = [event for event in events if isinstance(event, Step) and event.ended]
    # Two short trainings end by themselves, or both as one task.
    assert len(ended) == len(tasks) + (2 if workers == 1 else 1)
    # In another process nothing is told, and what was trained is found.
    again = done_in_order(train, tasks, by=InThisProcess(setup))
    assert list(again) == results


def test_an_error_ends_the_processes_and_goes_on(by_hand: Entry, setup: Setup) -> None:
    recipe = replace(setup.recipe, memory_format="contiguous")
    (setup.folder / "trainings").parent.mkdir(parents=True)
    (setup.folder / "trainings").write_text("in the way")
    with pytest.raises(InputError, match="cannot write"), executor(2, setup) as doing:
        list(done_in_order(train, [Task(by_hand, recipe, 4, lambda _: None)], by=doing))
