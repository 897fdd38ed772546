"""What a search's record survives: processes killed, the database started again and cut off, the disk full.

    python benchmarks/faults.py --trials 200 --processes 4 --kills 12 --json faults.json

So many processes search together, each candidate measured and trained, on one PostgreSQL (a real one, started here by
an ordinary user on loopback) and then on one journal file. At moments drawn by the seed one of them is killed and
started again, as a user would with --resume; once the database is restarted, once it is away for 20 seconds, once the
disk is full. Then the record is read: a trial is lost where a process knew that it was told and it is not there, and
twice where a network was trained two times or a trial told by two. It exits with 1 where anything was. A process that
says a traceback is a fault of ours: what it said stands in the JSON.
"""

import argparse
import math
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from faults_database import Database, server_version, why_no_database
from faults_disk import fill, small_disk
from faults_process import Worker
from faults_verdict import describe, verdict
from machine_paths import shown_command, without_folders

from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.errors import InputError
from sr.files import write_json
from sr.measure.target import Target
from sr.progress import duration
from sr.terminal import say

FAILED = 1
CUT_SECONDS = 20.0
_POLL_SECONDS = 0.1
_SAID_EVERY_SECONDS = 20.0
# Without a trial for so long something hangs.
_HANGS_SECONDS = 600.0
# The disk for what the processes write: of each trained network some megabytes stay.
_DISK_MB, _DISK_MB_PER_TRIAL = 64, 4


def main(argv: list[str] | None = None) -> int:
    """Search under faults on each kind of storage and print what became of the record."""
    args = parse(argv)
    # What it started ends with it, also where `timeout` ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED))
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
            shown = shown_command("faults.py", argv)
            write_json(args.json, {**results, "command": shown, **_place(), **provenance()})
    return DONE if all(each is None or each["is_whole"] for each in results.values()) else FAILED


def _place() -> dict[str, Any]:
    """Return what it ran on and with."""
    packages = ("optuna", "sqlalchemy", "psycopg")
    versions = {name: version(name) for name in packages if find_spec(name) is not None}
    return {"device": Target.of("cpu").conditions.device, "versions": versions, "server": server_version()}


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
    with small_disk(folder / "disk", _DISK_MB + _DISK_MB_PER_TRIAL * args.trials) as disk:
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
        faults = faults_of(args, database, disk, workers)
        happened: list[dict[str, Any]] = []
        began, broke = time.monotonic(), ""
        try:
            try:
                _search(workers, faults, args, happened)
            except InputError as error:
                # What the record holds all the same is worth to know.
                broke = str(error)
                say(f"{kind}: {broke}")
            seconds = time.monotonic() - began
            _end(workers)
            told = [line for worker in workers for line in worker.log() if "told" in line]
            found = verdict(storage, told, [worker.folder / "front.csv" for worker in workers])
            found |= _of_workers(workers) | {"seconds": seconds, "faults": happened, "broke": without_folders(broke)}
            is_whole = _is_whole(found, args.trials) and not broke and len(happened) == len(faults)
            return found | {"is_whole": is_whole}
        finally:
            _end(workers)
            if database is not None:
                database.stop(gently=False)


def _end(workers: list[Worker]) -> None:
    """Kill what runs still."""
    for worker in workers:
        if worker.process is not None and worker.ended() is None:
            worker.kill()


def _of_workers(workers: list[Worker]) -> dict[str, Any]:
    """Return how the workers fared."""
    tracebacks = [without_folders(text) for worker in workers for text in worker.tracebacks]
    errors = [without_folders(said) for worker in workers for said in worker.said if said.startswith("error: ")]
    return {
        "tracebacks": len(tracebacks),
        "said": tracebacks,
        "starts": sum(worker.starts for worker in workers),
        "redone_seconds": sum(worker.redone for worker in workers),
        "ends": dict(Counter(errors)),
    }


def _is_whole(found: Mapping[str, Any], trials: int) -> bool:
    """Return whether nothing was lost, done twice, left open or ended in a traceback."""
    wrong = any(found[name] for name in ("lost", "twice", "unexplained", "tracebacks"))
    return not wrong and found["front_is_the_same"] and found["trials"] == trials


Fault = tuple[int, str, Callable[[], str]]


def faults_of(args: argparse.Namespace, database: Database | None, disk: Path, workers: list[Worker]) -> list[Fault]:
    """Return what is to happen: after how many told trials, its name, and what does it and says how."""
    rng = random.Random(args.seed)  # noqa: S311 - no secret

    def kill() -> str:
        # At any moment of what it does then, not as it tells.
        time.sleep(rng.random() * 2)
        worker = rng.choice([each for each in workers if each.ended() is None] or workers)
        if worker.ended() is not None:
            return f"{worker.name} had ended"
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

    # Later there may be nobody left to kill.
    moments = sorted(rng.sample(range(1, max(args.kills + 1, args.trials * 9 // 10)), args.kills))
    faults: list[Fault] = [(moment, "kill", kill) for moment in moments]
    faults.append((args.trials * 2 // 3, "full disk", lambda: fill(disk, _live(workers))))
    if database is not None:
        faults.append((args.trials // 3, "restart", restart))
        faults.append((args.trials // 2, "cut", cut))
    return sorted(faults, key=lambda fault: fault[0])


def _live(workers: list[Worker]) -> list[int]:
    """Return the numbers of the processes that run."""
    return [worker.process.pid for worker in workers if worker.process is not None and worker.ended() is None]


def _search(
    workers: list[Worker], faults: list[Fault], args: argparse.Namespace, happened: list[dict[str, Any]]
) -> None:
    """Run the workers until all have ended by themselves, and note what happened to them.

    Raises:
        InputError: Where they hang, or one ends again and again.
    """
    began = said_at = told_at = time.monotonic()
    told, waiting = -1, list(faults)
    for worker in workers:
        worker.start()
    left = list(workers)
    while left:
        time.sleep(_POLL_SECONDS)
        count = len({line["told"] for worker in workers for line in worker.log() if "told" in line})
        if count != told:
            told, told_at = count, time.monotonic()
        said_at = _say_progress(told, said_at, began, args)
        if waiting and told >= waiting[0][0]:
            _, name, strike = waiting.pop(0)
            happened.append({"fault": name, "after": told, "how": strike()})
            say(f"after {told} trials: {name} ({happened[-1]['how']})")
            told_at = time.monotonic()
        left = [worker for worker in left if worker.goes_on(args.kills + 20)]
        if time.monotonic() - told_at > _HANGS_SECONDS:
            last = "; ".join(f"{worker.name}: {worker.last_words() or 'nothing'}" for worker in workers)
            raise InputError(f"no trial was told for {_HANGS_SECONDS:g} s after {told}; said last: {last}")


def _say_progress(told: int, said_at: float, began: float, args: argparse.Namespace) -> float:
    """Say now and then how far it is; return when that was last."""
    now = time.monotonic()
    if now - said_at < _SAID_EVERY_SECONDS:
        return said_at
    left = (now - began) / told * (args.trials - told) if told else math.inf
    say(f"{told} of {args.trials} trials told in {duration(now - began)}"
        f"{f', about {duration(left)} left' if told else ''}")  # fmt: skip
    return now


if __name__ == "__main__":
    sys.exit(run(main))
