"""What a search's record survives: processes killed, the database started again and cut off, the disk full.

    python benchmarks/faults.py --trials 200 --processes 4 --kills 12 --json faults.json

So many processes search together, each candidate measured and trained, on one PostgreSQL (a real one, started here by
an ordinary user on loopback) and then on one journal file. At moments drawn by the seed one of them is killed and
started again, as a user would with --resume; once the database is restarted, once it is away for 20 seconds, once the
disk is full. Then the record is read: a trial is lost where a process knew that it was told and it is not there, and
twice where a network was trained two times or a trial told by two. It exits with 1 where anything was.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults_database import Database, why_no_database

from nas.optuna_backend.stored import recorded
from nas.optuna_backend.times import trial_times
from nas.trial import Trial, trained_once
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.errors import InputError
from sr.files import write_json
from sr.pareto import dominates
from sr.terminal import say

FAILED = 1
CUT_SECONDS, FULL_SECONDS = 20.0, 5.0
_POLL_SECONDS = 0.1
# Without a trial for so long something hangs.
_HANGS_SECONDS = 600.0
_DISK_MB = 64


@dataclass
class Worker:
    """A process of the search, started again where it ends before its time."""

    name: str
    folder: Path
    arguments: list[str]
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0
    redone: float = 0.0
    said: list[str] = field(default_factory=list)

    @property
    def output(self) -> Path:
        """What it says."""
        return Path(f"{self.folder}.out")

    def start(self) -> None:
        """Start it in a session of its own."""
        self.starts += 1
        command = [sys.executable, str(Path(__file__).with_name("faults_worker.py")), str(self.folder), *self.arguments]
        root = Path(__file__).resolve().parents[1]
        environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603 - itself
                command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """Kill it where it is, and all that it started."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def ended(self) -> int | None:
        """Return its exit code, None while it runs."""
        assert self.process is not None
        return self.process.poll()

    def note_end(self) -> None:
        """Take in what it said last, and what it did not finish."""
        text = self.output.read_text("utf-8", errors="replace").strip()
        self.said.append("a traceback" if "Traceback" in text else (text.splitlines() or [""])[-1])
        lines = self.log()
        if lines and "begun" in lines[-1]:
            self.redone += time.monotonic() - lines[-1]["at"]

    def log(self) -> list[dict[str, Any]]:
        """Return the whole lines of what it began and told."""
        path = Path(f"{self.folder}.log")
        if not path.exists():
            return []
        whole = path.read_text("utf-8").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]


def main(argv: list[str] | None = None) -> int:
    """Search under faults on each kind of storage and print what became of the record."""
    args = parse(argv)
    results: dict[str, Any] = {}
    for kind in ("postgresql", "journal"):
        why = why_no_database() if kind == "postgresql" else ""
        if why:
            say(f"PostgreSQL is left out: {why}")
            results[kind] = None
            continue
        with tempfile.TemporaryDirectory(prefix="paretosr-faults-") as folder:
            results[kind] = under_faults(kind, Path(folder), args)
        say(f"{kind}: {describe(results[kind])}")
    if args.json:
        shown = " ".join(["python", "benchmarks/faults.py", *(sys.argv[1:] if argv is None else argv)])
        write_json(args.json, {**results, "command": shown, "cpus": os.cpu_count(), **provenance()})
    return DONE if all(each is None or each["is_whole"] for each in results.values()) else FAILED


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="python benchmarks/faults.py",
        description="Kill a search's processes, restart and cut off its database, fill its disk, and read the record.",
        example="python benchmarks/faults.py --trials 200 --kills 12 --json faults.json",
    )
    parser.add_argument("--trials", type=int, default=200, metavar="N", help="default 200")
    parser.add_argument("--processes", type=int, default=4, metavar="N", help="that search together (default 4)")
    parser.add_argument("--kills", type=int, default=12, metavar="N", help="default 12")
    parser.add_argument("--steps", type=int, default=40, metavar="N", help="of a training (default 40)")
    parser.add_shared("seed", "json")
    args = parser.parse_args(argv)
    if min(args.trials, args.processes, args.steps) < 1 or args.kills < 0:
        raise InputError("--trials, --processes and --steps must be at least 1, and --kills at least 0")
    if args.kills + 3 > args.trials:
        raise InputError(f"--trials must be at least --kills and 3 more, got {args.trials} and {args.kills}")
    return args


def under_faults(kind: str, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Search on one kind of storage while the faults happen, and return what the record holds."""
    folder.chmod(0o755)
    database = Database.of(folder / "database") if kind == "postgresql" else None
    with small_disk(folder / "disk") as disk:
        storage = str(disk / "study.journal") if database is None else database.url
        values = [storage, str(args.trials), str(args.steps), str(args.seed)]
        logs = folder / "logs"
        logs.mkdir()
        workers = []
        for number in range(args.processes):
            # What a worker writes lies on the small disk, what it says of it beside.
            place = logs / f"worker{number}"
            place.symlink_to(disk / place.name)
            (disk / place.name).mkdir()
            workers.append(Worker(place.name, place, values))
        if database is not None:
            database.start()
        began = time.monotonic()
        try:
            happened = _search(workers, faults_of(args, database, disk, workers), args)
            seconds = time.monotonic() - began
            return verdict(storage, workers, args) | {"seconds": seconds, "faults": happened}
        finally:
            for worker in workers:
                if worker.process is not None and worker.ended() is None:
                    worker.kill()
            if database is not None:
                database.stop(gently=False)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Yield a folder on a disk of its own, of 64 MB; an ordinary one for who may not mount."""
    folder.mkdir()
    is_mounted = os.geteuid() == 0 and _call("mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        if is_mounted:
            _call("umount", "-l", str(folder))


def _call(program: str, *arguments: str) -> bool:
    """Call a program of the system; return whether it is there and did what it was to do."""
    path = shutil.which(program)
    return path is not None and subprocess.run([path, *arguments], check=False, capture_output=True).returncode == 0  # noqa: S603


Fault = tuple[int, str, Callable[[], str]]


def faults_of(args: argparse.Namespace, database: Database | None, disk: Path, workers: list[Worker]) -> list[Fault]:
    """Return what is to happen: after how many told trials, its name, and what does it and says how."""
    rng = random.Random(args.seed)  # noqa: S311 - no secret

    def kill() -> str:
        worker = rng.choice(workers)
        if worker.ended() is None:
            # At any moment of what it does then, not as it tells.
            time.sleep(rng.random() * 2)
            worker.kill()
        return worker.name

    def restart() -> str:
        assert database is not None
        database.restart()
        return "at once"

    def cut() -> str:
        assert database is not None
        database.stop(gently=False)
        time.sleep(CUT_SECONDS)
        database.start()
        return f"{CUT_SECONDS:g} s"

    moments = sorted(rng.sample(range(1, args.trials - 1), args.kills))
    faults: list[Fault] = [(moment, "kill", kill) for moment in moments]
    faults.append((args.trials * 2 // 3, "full disk", lambda: fill(disk, workers)))
    if database is not None:
        faults.append((args.trials // 3, "restart", restart))
        faults.append((args.trials // 2, "cut", cut))
    return sorted(faults, key=lambda fault: fault[0])


def fill(disk: Path, workers: list[Worker]) -> str:
    """Fill the small disk for a few seconds; where it is none, refuse the workers longer files as a full one does."""
    if os.path.ismount(disk):
        ballast = disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        time.sleep(FULL_SECONDS)
        ballast.unlink()
        return f"a disk of {_DISK_MB} MB filled for {FULL_SECONDS:g} s"
    live = [worker.process.pid for worker in workers if worker.process is not None and worker.ended() is None]
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limits in ((1, unlimited[1]), unlimited):
        for pid in live:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        time.sleep(FULL_SECONDS)
    return f"files limited to 1 byte for {FULL_SECONDS:g} s"


def _search(workers: list[Worker], faults: list[Fault], args: argparse.Namespace) -> list[dict[str, Any]]:
    """Run the workers until all have ended by themselves; return what happened to them."""
    happened: list[dict[str, Any]] = []
    told, told_at, waiting = -1, time.monotonic(), list(faults)
    for worker in workers:
        worker.start()
    left = list(workers)
    while left:
        time.sleep(_POLL_SECONDS)
        count = len({line["told"] for worker in workers for line in worker.log() if "told" in line})
        if count != told:
            told, told_at = count, time.monotonic()
        if waiting and told >= waiting[0][0]:
            _, name, strike = waiting.pop(0)
            happened.append({"fault": name, "after": told, "how": strike()})
            say(f"after {told} trials: {name} ({happened[-1]['how']})")
            told_at = time.monotonic()
        left = [worker for worker in left if _goes_on(worker, args.kills + 20)]
        if time.monotonic() - told_at > _HANGS_SECONDS:
            raise InputError(f"no trial was told for {_HANGS_SECONDS:g} s after {told}")
    return happened


def _goes_on(worker: Worker, most_starts: int) -> bool:
    """Return whether a worker is not done yet; one that ended before its time is started again."""
    code = worker.ended()
    if code is None:
        return True
    worker.note_end()
    if code == DONE:
        return False
    if worker.starts > most_starts:
        raise InputError(f"{worker.name} ends again and again: {worker.said[-1]}")
    worker.start()
    return True


def verdict(storage: str, workers: list[Worker], args: argparse.Namespace) -> dict[str, Any]:
    """Return what the record holds against what the workers know of."""
    _, trials = recorded(storage)
    by_number = {trial.number: trial for trial in trials}
    known = [line for worker in workers for line in worker.log() if "told" in line]
    lost = [
        line for line in known
        if line["told"] not in by_number or by_number[line["told"]].architecture.key != line["key"]
    ]  # fmt: skip
    keys = Counter(trial.architecture.key for trial in trials if trial.duplicate_of is None)
    twice = sum(count - 1 for count in keys.values())
    # One that was put off as the device was busy is told again, and trained once.
    trained = Counter(line["told"] for line in known if line["state"] == "trained")
    told_twice = sum(count - 1 for count in trained.values())
    unexplained = [
        trial.number for trial in trials if trial.state not in ("trained", "infeasible") and not trial.reason
    ]
    # Who ends last knows of all; who ended before may lack what was put off until the device was calm.
    last = max((worker.folder / "front.csv" for worker in workers), key=lambda path: path.stat().st_mtime_ns)
    anew = sorted(front_anew(trials))
    tracebacks = sum(said == "a traceback" for worker in workers for said in worker.said)
    found = {
        "trials": len(trials),
        "states": dict(Counter(trial.state for trial in trials)),
        "lost": len(lost),
        "twice": twice + told_twice,
        "unexplained": len(unexplained) + trial_times(storage).in_hand,
        "front": len(anew),
        "front_is_the_same": front_in(last) == anew,
        "tracebacks": tracebacks,
        "starts": sum(worker.starts for worker in workers),
        "redone_seconds": sum(worker.redone for worker in workers),
        "ends": dict(Counter(said for worker in workers for said in worker.said if said.startswith("error: "))),
    }
    wrong = (found["lost"], found["twice"], found["unexplained"], tracebacks)
    return found | {"is_whole": not any(wrong) and found["front_is_the_same"] and len(trials) == args.trials}


def front_anew(trials: list[Trial]) -> list[int]:
    """Return the numbers of the trials that no other dominates, each compared with each."""
    trained = trained_once(trials)
    return [
        trial.number for trial in trained
        if not any(dominates(other.objectives, trial.objectives) for other in trained if other is not trial)
    ]  # fmt: skip


def front_in(path: Path) -> list[int]:
    """Return the numbers in a table of a front."""
    _, *rows = path.read_text("utf-8").splitlines()
    return sorted(int(row.partition(",")[0]) for row in rows)


def describe(found: dict[str, Any]) -> str:
    """Say what became of the record."""
    states = ", ".join(f"{count} {state}" for state, count in found["states"].items())
    same = "equal to" if found["front_is_the_same"] else "NOT equal to"
    return (
        f"{found['trials']} trials ({states}); lost {found['lost']}, twice {found['twice']}, without an end or "
        f"a reason {found['unexplained']}, tracebacks {found['tracebacks']}; front of {found['front']} {same} the one "
        f"computed anew; {found['redone_seconds']:.0f} s redone of {found['seconds']:.0f} s; {found['starts']} starts"
    )


if __name__ == "__main__":
    sys.exit(run(main))
