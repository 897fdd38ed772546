import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sr.measure.device_lock import (
    OthersAtWork,
    busy_seconds,
    device_key,
    lock_file,
    measuring_on,
    training_on,
    wait_until_idle,
)

ROOT = Path(__file__).resolve().parents[3]
# TMPDIR is the test's own folder, and so are the lock files: nobody else on this machine is waited for.
HOLDERS = """
import os, sys, time, torch
from pathlib import Path
from sr.measure.device_lock import measuring_on, training_on
folder = Path(sys.argv[1])
def wait(mark):
    deadline = time.monotonic() + 60
    while not (folder / mark).exists() and time.monotonic() < deadline:
        time.sleep(0.005)
def hold(name, lock):
    wait(f"{name}.ask")
    (folder / f"{name}.asks").touch()
    with lock(torch.device("cpu")):
        (folder / f"{name}.holds").touch()
        wait(f"{name}.release")
    (folder / f"{name}.done").touch()
for name, kind in (argument.split("=") for argument in sys.argv[2:]):
    child = os.fork()
    if not child:
        hold(name, {"train": training_on, "measure": measuring_on}[kind])
        os._exit(0)
    print(child, flush=True)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""
# Long enough for a process that may go on to do so, on a busy machine too; a shorter one could only miss a mistake.
PATIENCE_SECONDS = 60.0
HOLD_BACK_SECONDS = 0.2


class Holders:
    """Processes that ask for a device lock when told and keep it until told; forks of one: its imports take seconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None
        self.pids: dict[str, int] = {}

    def start(self, **kinds: str) -> None:
        environment = os.environ | {"TMPDIR": str(self.folder), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", HOLDERS, str(self.folder), *(f"{name}={kind}" for name, kind in kinds.items())]
        self.process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.pids = {name: int(self.process.stdout.readline()) for name in kinds}

    def kill(self, name: str) -> None:
        os.kill(self.pids[name], signal.SIGKILL)

    def end(self) -> None:
        for name in self.pids:
            # It may have ended by itself.
            with contextlib.suppress(ProcessLookupError):
                self.kill(name)
        if self.process is not None:
            self.process.communicate(timeout=PATIENCE_SECONDS)

    def ask(self, *names: str) -> None:
        for name in names:
            (self.folder / f"{name}.ask").touch()
        for name in names:
            self.wait(f"{name}.asks")

    def is_there(self, mark: str) -> bool:
        return (self.folder / mark).exists()

    def wait(self, mark: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.is_there(mark):
            assert time.monotonic() < deadline, f"{mark} did not happen"
            time.sleep(0.005)

    def release(self, name: str) -> None:
        (self.folder / f"{name}.release").touch()
        self.wait(f"{name}.done")

    def held_back(self, name: str) -> bool:
        time.sleep(HOLD_BACK_SECONDS)
        return not self.is_there(f"{name}.holds")


@pytest.fixture
def holders(tmp_path: Path) -> Iterator[Holders]:
    if not hasattr(os, "fork"):
        pytest.skip("starts its processes by fork")
    made = Holders(tmp_path)
    yield made
    made.end()


def test_many_train_together_and_a_waiting_measurer_goes_before_new_trainers(holders: Holders) -> None:
    holders.start(first="train", second="train", measurer="measure", late="train")
    holders.ask("first", "second")
    holders.wait("first.holds")
    holders.wait("second.holds")
    holders.ask("measurer")
    assert holders.held_back("measurer")
    holders.ask("late")
    assert holders.held_back("late")
    holders.release("first")
    assert holders.held_back("measurer")
    holders.release("second")
    holders.wait("measurer.holds")
    assert holders.held_back("late")
    holders.release("measurer")
    holders.wait("late.holds")
    holders.release("late")


def test_a_killed_holder_lets_go(holders: Holders) -> None:
    holders.start(killed="measure", next="measure")
    holders.ask("killed")
    holders.wait("killed.holds")
    holders.ask("next")
    assert holders.held_back("next")
    holders.kill("killed")
    holders.wait("next.holds")
    holders.release("next")


@pytest.fixture
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("lock", [training_on, measuring_on])
def test_an_error_lets_go(lock: type[training_on], own_locks: Path) -> None:
    def fail() -> None:
        with lock(torch.device("cpu")):
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail()
    with measuring_on(torch.device("cpu")):
        assert list(own_locks.iterdir())


def test_devices_do_not_wait_for_each_other(own_locks: Path) -> None:
    with measuring_on(torch.device("cpu")), measuring_on(torch.device("meta")):
        (folder,) = own_locks.iterdir()
        assert {path.name for path in folder.iterdir()} == {"cpu.gate", "cpu.use", "meta.gate", "meta.use"}


def test_the_lock_files_are_private(own_locks: Path) -> None:
    with lock_file(torch.device("cpu"), "gate"):
        (folder,) = own_locks.iterdir()
        assert folder.stat().st_mode & 0o077 == 0


def test_users_of_a_gpu_share_its_lock_file(cuda: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cuda.current == 0
    files = []
    for user in ("one", "other"):
        own = tmp_path / user
        own.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(own))
        with lock_file(torch.device("cuda", 1), "gate") as handle:
            files.append(os.fstat(handle.fileno()))
    assert os.path.samestat(*files)
    # Anybody may hold it, and nobody may take another's away.
    assert files[0].st_mode & 0o777 == 0o666
    assert (tmp_path / "paretosr-devices").stat().st_mode & 0o7777 == 0o1777


def test_lock_file_of_a_gpu_is_not_followed_elsewhere(cuda: Any, tmp_path: Path) -> None:
    assert cuda.current == 0
    with lock_file(torch.device("cuda", 1), "gate"):
        (made,) = (tmp_path / "paretosr-devices").iterdir()
    made.unlink()
    made.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"symbolic links|elsewhere"):
        lock_file(torch.device("cuda", 1), "gate")


def test_the_cpu_is_one_device_whatever_its_index() -> None:
    assert device_key(torch.device("cpu")) == device_key(torch.device("cpu", 0)) == "cpu"


needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells how busy it is")


@needs_linux
def test_work_makes_the_seconds_grow() -> None:
    before = busy_seconds()
    assert before is not None
    began = time.process_time()
    while time.process_time() - began < 0.1:
        pass
    after = busy_seconds()
    assert after is not None
    assert after > before
    again = busy_seconds()
    assert again is not None
    assert again >= after


def worked(*seconds: float | None) -> Callable[[], float | None]:
    """Return what tells these seconds of work, one a call."""
    told = iter(seconds)
    return lambda: next(told)


CORES = os.cpu_count() or 1


def test_a_machine_that_works_more_than_a_tenth_of_the_time_is_busy() -> None:
    assert not wait_until_idle(0.0, 0.01, busy=worked(5.0, 5.0 + 0.0011 * CORES))
    assert wait_until_idle(0.0, 0.01, busy=worked(5.0, 5.0 + 0.0009 * CORES))


def test_the_wait_ends_when_the_others_stop() -> None:
    told = [0.0, 1.0 * CORES, 2.0 * CORES, 3.0 * CORES, 3.0 * CORES, 3.0 * CORES]
    assert wait_until_idle(PATIENCE_SECONDS, 0.001, busy=worked(*told))


@pytest.mark.parametrize("told", [(None, 1.0), (1.0, None)])
def test_where_nobody_knows_how_busy_it_is_nobody_waits(told: tuple[float | None, float | None]) -> None:
    assert wait_until_idle(PATIENCE_SECONDS, 0.001, busy=worked(*told))


def test_the_wait_is_bounded() -> None:
    seconds = itertools.count()
    # More than an hour of every core at each look.
    assert not wait_until_idle(0.02, 0.001, busy=lambda: 3600.0 * CORES * next(seconds))


@pytest.mark.parametrize(
    ("busy", "own", "disturbed"),
    [(10.0, 10.0, False), (12.0, 10.0, True), (11.0, 9.6, False), (11.2, 9.5, True), (None, 10.0, False)],
)
def test_others_disturb_where_they_take_a_noticeable_share_of_a_processor(
    busy: float | None, own: float, disturbed: bool
) -> None:
    """Over ten seconds: 1.55 seconds of others, and what counting in ticks may be off by."""
    busies, owns, times = iter([0.0, busy]), iter([0.0, own]), iter([0.0, 10.0])
    others = OthersAtWork(lambda: next(busies), lambda: next(owns), lambda: next(times))
    assert others.disturb() is disturbed


@pytest.mark.parametrize(("busy", "processors"), [(20.05, 2.0), (0.0, 0.0), (None, 0.0)])
def test_share_of_others_is_how_many_processors_they_keep_busy(busy: float | None, processors: float) -> None:
    busies, times = iter([0.0, busy]), iter([0.0, 10.0])
    others = OthersAtWork(lambda: next(busies), lambda: 0.0, lambda: next(times))
    assert others.share() == pytest.approx(processors)
