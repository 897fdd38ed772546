"""A journal that is torn at any byte, of which the disk is full, or that another process holds."""

import json
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nas.optuna_backend.journal import Journal, locked
from nas.optuna_backend.study import OptunaStudy
from nas.samplers.protocol import SearchProblem
from nas.samplers.random_search import RandomSearch
from nas.trial import Trial
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from sr.errors import InputError
from sr.waiting import waits

Outcome = Callable[[int, Architecture], Trial]
SPACE = SPACES["msrresnet"]
PROPOSE = RandomSearch(SearchProblem(SPACE, 0, 100.0)).propose
RECORDS = [{"op": 1, "text": "é"}, {"op": 2}, {"op": 3, "long": "x" * 50}]


def read(path: Path) -> list[dict[str, Any]]:
    return list(Journal(str(path)).read_logs(0))


def test_journal_torn_at_any_byte_goes_on_behind_its_last_whole_record(tmp_path: Path) -> None:
    whole = tmp_path / "whole.journal"
    Journal(str(whole)).append_logs(RECORDS)
    content = whole.read_bytes()
    torn = tmp_path / "torn.journal"
    for size in range(len(content) + 1):
        torn.write_bytes(content[:size])
        kept = RECORDS[: content[:size].count(b"\n")]
        assert read(torn) == kept
        Journal(str(torn)).append_logs([{"op": 9}])
        assert read(torn) == [*kept, {"op": 9}]


def test_long_torn_record_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    Journal(str(path)).append_logs(RECORDS[:1])
    with path.open("ab") as file:
        file.write(b"\x00" * 200_000)
    Journal(str(path)).append_logs(RECORDS[1:])
    assert read(path) == RECORDS


def test_study_killed_at_any_record_goes_on_with_what_was_told(tmp_path: Path, outcome: Outcome) -> None:
    path = tmp_path / "study.journal"
    study = OptunaStudy(SPACE, "s", str(path), 100.0)
    study.remember({"phase": "search"})
    for _ in range(2):
        study.tell(outcome(*study.ask(PROPOSE)))
    told, lines = study.trials, path.read_bytes().splitlines(keepends=True)
    # At records around what changes, torn in the middle: the reading of each takes a while.
    for count in [*range(5), *range(len(lines) // 2, len(lines), 9), len(lines) - 1]:
        path.write_bytes(b"".join(lines[:count]) + lines[count][: len(lines[count]) // 2])
        again = OptunaStudy(SPACE, "s", str(path), 100.0)
        assert again.trials == told[: len(again.trials)]
        again.tell(outcome(*again.ask(PROPOSE)))
        assert OptunaStudy(SPACE, "s", str(path), 100.0).trials == again.trials


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Return what has the system refuse more than so many bytes in a file, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_full_disk_is_one_line_and_leaves_the_journal_as_it_was(
    tmp_path: Path, small_files: Callable[[int], None]
) -> None:
    path = tmp_path / "a.journal"
    journal = Journal(str(path))
    journal.append_logs(RECORDS)
    content = path.read_bytes()
    small_files(len(content) + 5)
    with pytest.raises(InputError, match=r"cannot write .*a\.journal: File too large; make room, .*--resume"):
        journal.append_logs(RECORDS)
    assert path.read_bytes() == content
    small_files(10 * len(content))
    journal.append_logs(RECORDS[:1])
    assert read(path) == [*RECORDS, RECORDS[0]]


def test_line_within_that_is_no_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    path.write_text('{"op": 1}\n{"op": {"op": 2}\n{"op": 3}\n')
    with pytest.raises(InputError, match=r"a\.journal is damaged: it holds a line that is no record"):
        read(path)


def test_lock_of_a_killed_process_is_free_and_a_live_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.journal.lock"
    script = (
        "import sys, time; from pathlib import Path; from nas.optuna_backend.journal import locked\n"
        "with locked(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(600)"
    )
    root = Path(__file__).resolve().parents[3]
    holder = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True, cwd=root)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    said: list[str] = []

    def kill_once_it_is_waited_for() -> None:
        deadline = time.monotonic() + 60
        while not waits() and time.monotonic() < deadline:
            time.sleep(0.005)
        said.append(waits())
        holder.kill()

    thread = threading.Thread(target=kill_once_it_is_waited_for)
    thread.start()
    with locked(path):
        pass
    thread.join()
    holder.communicate(timeout=60)
    assert said[0].startswith(f"{path}, which process {holder.pid} on ")


def test_lock_that_an_earlier_version_left_is_removed(tmp_path: Path) -> None:
    lock = tmp_path / "a.journal.lock"
    lock.symlink_to("a.journal")
    Journal(str(tmp_path / "a.journal")).append_logs(RECORDS)
    assert not lock.is_symlink()
    assert read(tmp_path / "a.journal") == RECORDS


def test_clock_that_is_set_back_changes_nothing(
    tmp_path: Path, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = iter(range(10**6))

    class Backwards(datetime):
        """Each time that it is looked at a day earlier."""

        @classmethod
        def now(cls, tz: Any = None) -> "Backwards":
            return cls.fromtimestamp(1e9, tz) - timedelta(days=next(days) % 9000)

    monkeypatch.setattr("optuna.storages.journal._storage.datetime", Backwards)
    path = str(tmp_path / "study.journal")
    study = OptunaStudy(SPACE, "s", path, 100.0)
    study.enqueue(SPACE.seeds[:2])
    for _ in range(3):
        study.tell(outcome(*study.ask(PROPOSE)))
    again = OptunaStudy(SPACE, "s", path, 100.0)
    assert again.trials == study.trials
    assert [trial.architecture.key for trial in again.trials[:2]] == [seed.key for seed in SPACE.seeds[:2]]


def test_many_processes_write_one_journal_and_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"

    def write(number: int) -> None:
        journal = Journal(str(path))
        for count in range(20):
            journal.append_logs([{"writer": number, "count": count}])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = read(path)
    assert sorted(json.dumps(record) for record in records) == sorted(
        json.dumps({"writer": number, "count": count}) for number in range(4) for count in range(20)
    )
