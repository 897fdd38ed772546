"""What every executor keeps to, each by the same tests, and what processes keep to beside that."""

import contextlib
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path

import pytest
import torch

from sr.errors import InputError
from sr.executors.executor import Executor, WorkerDiedError, in_order
from sr.executors.in_process import InThisProcess
from sr.executors.processes import Processes
from sr.executors.ray_cluster.workers import RayCluster
from sr.measure.device_lock import measuring_on

CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[3]
# No test waits so long: it is there for a machine that does much else.
PATIENCE_SECONDS = 120.0
State = list[int]


def begun(value: int) -> State:
    return [value]


def added(state: State, number: int, *, times: int = 1) -> int:
    """Return what the worker began with and a number."""
    return state[0] + number * times


def kept(state: State, number: int) -> None:
    state.append(number)


def all_kept(state: State) -> State:
    return state


def failed(_state: State, text: str) -> None:
    raise InputError(text)


def where(_state: State) -> int:
    return os.getpid()


def never_ending(_state: State, path: Path) -> None:
    path.touch()
    while True:
        time.sleep(0.01)


def processes() -> set[int]:
    """Return the processes that this one started."""
    return {child.pid for child in multiprocessing.active_children() if child.pid is not None}


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def before() -> set[int]:
    return processes()


@pytest.fixture(scope="module")
def pair(before: set[int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes[State]]:
    """Two processes, which a Ctrl-C in the midst of work ends, so that each is started once."""
    with contextlib.suppress(KeyboardInterrupt), Processes(begun, [7, 7], CPU) as made:
        yield made
        path = tmp_path_factory.mktemp("interrupted") / "begun"
        made.submit(never_ending, path)
        wait_until(path.exists)
        raise KeyboardInterrupt
    assert processes() <= before


@pytest.fixture(scope="module")
def two_on_a_cluster(request: pytest.FixtureRequest) -> Iterator[RayCluster[State]]:
    request.getfixturevalue("cluster")
    with RayCluster(begun, 7, 2) as made:
        yield made


@pytest.fixture(scope="module")
def in_this_process() -> Iterator[InThisProcess[State]]:
    with InThisProcess(begun(7)) as made:
        yield made


@pytest.fixture(scope="module", params=["in_this_process", "two_on_a_cluster", "pair"])
def executor(request: pytest.FixtureRequest) -> Executor[State]:
    made: Executor[State] = request.getfixturevalue(request.param)
    return made


def test_work_gets_the_state_and_what_it_is_given(executor: Executor[State]) -> None:
    assert executor.submit(added, 5).result(PATIENCE_SECONDS) == 12
    assert executor.submit(added, 5, times=3).result(PATIENCE_SECONDS) == 22


def test_what_work_raises_is_raised_by_its_future(executor: Executor[State]) -> None:
    future = executor.submit(failed, "there is no such thing")
    with pytest.raises(InputError, match=r"^there is no such thing$"):
        future.result(PATIENCE_SECONDS)
    assert executor.submit(added, 1).result(PATIENCE_SECONDS) == 8


def test_outcomes_come_in_order(executor: Executor[State]) -> None:
    assert list(in_order(executor, added, range(6))) == [7, 8, 9, 10, 11, 12]
    outcomes = in_order(executor, failed, ["the first", "the second"])
    with pytest.raises(InputError, match=r"^the first$"):
        next(outcomes)


def test_work_everywhere_is_done_once_by_each_started_worker_which_keeps_it(executor: Executor[State]) -> None:
    executor.start()
    assert executor.everywhere(kept, 1) == [None] * executor.workers
    # What is started already stays.
    executor.start()
    assert executor.everywhere(all_kept) == [[7, 1]] * executor.workers


def test_work_in_this_process_is_done_when_it_is_submitted() -> None:
    before = processes()
    with InThisProcess(begun(7)) as alone:
        assert alone.submit(where).done()
        assert alone.submit(where).result() == os.getpid()
        assert alone.workers == 1
    assert processes() == before


SCRIPT = """
import operator, torch
from sr.executors.processes import Processes
print("begun", flush=True)
with Processes(int, ["7", "7"], torch.device("cpu")) as made:
    print(made.submit(operator.add, 1).result())
"""


def test_a_script_without_a_guard_is_not_run_again_by_the_processes_that_it_starts(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "begun\n8\n"


def test_a_killed_process_loses_its_own_work_alone_and_another_starts_while_nobody_measures(
    pair: Processes[State], before: set[int], tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("one", "other")]
    futures = [pair.submit(never_ending, path) for path in paths]
    wait_until(lambda: all(path.exists() for path in paths))
    killed, spared = processes() - before
    os.kill(killed, 9)
    done, going_on = wait(futures, timeout=PATIENCE_SECONDS, return_when=FIRST_COMPLETED)
    (died,) = done
    with pytest.raises(WorkerDiedError, match=r"a process that trained was killed.*train fewer at once"):
        died.result()
    # Another takes its place for the next piece of work, while the other one goes on.
    with measuring_on(CPU):
        next_one = pair.submit(added, 1)
        with pytest.raises(TimeoutError):
            next_one.result(timeout=0.5)
    assert next_one.result(PATIENCE_SECONDS) == 8
    (other,) = going_on
    assert not other.done()
    assert spared in processes()
    assert killed not in processes()
    assert len(processes() - before) == 2
    os.kill(spared, 9)
    with pytest.raises(WorkerDiedError):
        other.result(PATIENCE_SECONDS)
