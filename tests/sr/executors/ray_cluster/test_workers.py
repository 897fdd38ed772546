"""Workers of a cluster that die: another does their work, and what kills every worker fails with its reason."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

from sr.errors import InputError
from sr.executors.executor import WorkerDiedError
from sr.executors.ray_cluster.connection import Share
from sr.executors.ray_cluster.workers import RayCluster
from sr.progress import Event

# No test waits so long: it is there for a machine that does much else.
PATIENCE_SECONDS = 120.0
State = list[int]
# Of the two processors, so that there is room for another worker beside a pair.
HALF = Share(0.5)

pytestmark = pytest.mark.usefixtures("cluster")


def begun(value: int) -> State:
    return [value]


def refused(_value: int) -> State:
    raise InputError("there is no room on this node")


def where(_state: State) -> int:
    return os.getpid()


def killed_at_first(state: State, folder: Path, deaths: int) -> int:
    """End this process the first times that this is done, and leave a file each time."""
    done = len(list(folder.iterdir()))
    (folder / str(done)).touch()
    if done < deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return state[0]


def kept(state: State, what: object) -> None:
    state.append(id(what))


def never_ending(_state: State, path: Path) -> None:
    path.touch()
    while True:
        time.sleep(0.01)


@pytest.fixture(scope="module")
def said() -> list[Event]:
    """Return what the pair reports."""
    return []


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest, said: list[Event]) -> Iterator[RayCluster[State]]:
    request.getfixturevalue("cluster")
    with RayCluster(begun, 7, 2, HALF, label=lambda *_: "a short training", report=said.append) as made:
        made.start()
        yield made


def test_workers_are_processes_of_their_own_that_both_work(pair: RayCluster[State]) -> None:
    assert len({os.getpid(), *pair.everywhere(where)}) == 3


def test_work_whose_worker_dies_is_done_by_another_and_who_reports_is_told(
    pair: RayCluster[State], said: list[Event], tmp_path: Path
) -> None:
    before = len(said)
    assert pair.submit(killed_at_first, tmp_path, 1).result(PATIENCE_SECONDS) == 7
    assert len(list(tmp_path.iterdir())) == 2
    assert [str(event).partition(" (")[0] for event in said[before:]] == [
        "a short training: its worker died, another does it again"
    ]


def test_work_that_three_workers_died_at_fails_with_the_reason_and_others_go_on(
    pair: RayCluster[State], tmp_path: Path
) -> None:
    future = pair.submit(killed_at_first, tmp_path, 5)
    with pytest.raises(WorkerDiedError, match=r"^3 workers of the cluster died at it, one after another, the last"):
        future.result(PATIENCE_SECONDS)
    assert len(list(tmp_path.iterdir())) == 3
    assert pair.submit(where).result(PATIENCE_SECONDS) != os.getpid()


def test_what_cannot_travel_fails_its_work_alone(pair: RayCluster[State]) -> None:
    with pytest.raises(TypeError, match="lock"):
        pair.submit(kept, threading.Lock()).result(PATIENCE_SECONDS)
    assert pair.submit(where).result(PATIENCE_SECONDS) != os.getpid()


def test_a_worker_that_cannot_begin_fails_its_work_with_what_it_raised_and_who_reports_is_told() -> None:
    no_room, said = r"^there is no room on this node$", list[Event]()
    with RayCluster(refused, 7, 1, HALF, report=said.append) as made:
        with pytest.raises(InputError, match=no_room):
            made.submit(where).result(PATIENCE_SECONDS)
        with pytest.raises(InputError, match=no_room):
            made.start()
    assert [str(event) for event in said] == ["one worker of the cluster less: there is no room on this node"]


def test_an_interrupt_ends_workers_in_the_midst_of_work(tmp_path: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), RayCluster(begun, 7, 1, HALF) as made:
        futures = [made.submit(never_ending, tmp_path / "begun"), made.submit(where)]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < deadline, "it did not begin"
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert not wait(futures, PATIENCE_SECONDS).not_done
    with pytest.raises(WorkerDiedError, match="were ended"):
        futures[0].result()
    assert futures[1].cancelled()


def test_less_than_one_worker_is_none() -> None:
    with pytest.raises(InputError, match="at least 1 worker"):
        RayCluster(begun, 7, 0)
