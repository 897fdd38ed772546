"""What the commands make of inputs as people have them, and worse: no traceback, no hang, nothing lost.

    python benchmarks/fuzz.py --inputs 10000 --out runs/fuzz --json fuzz.json

Hypothesis draws pictures, checkpoints, the records of searches, ONNX files and command lines; each command's own `main`
runs on them in a process that is watched. A case is as it should be where the command ends by itself within the time,
with an exit code that it documents and one line for what the user can mend, changes nothing of the user's and writes
only where it was told to. Of each other kind of end the smallest case that hypothesis finds is kept. It exits with 1
where there is any. Stopped before its time (Ctrl-C, `timeout`) it writes what was found so far, and exits with 1.
"""

import argparse
import faulthandler
import json
import logging
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzz_case import CRASH, HANG, Case, Outcome
from fuzz_inputs import KINDS, Whole
from fuzz_worker import Worker
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.errors import HypothesisException
from machine_paths import shown_command, without_folders

from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.errors import InputError
from sr.files import make_folder, write_json
from sr.measure.target import Target
from sr.terminal import say

if TYPE_CHECKING:
    from ctypes import Array, c_longlong

FAILED = 1
_SHRINKING_SECONDS = 20.0
_SAID_EVERY_SECONDS = 10.0
# Where a package and its module have two names.
_MODULES = {"pillow": "PIL"}
# Rounds without a case after which there is none left.
_MOST_FRUITLESS = 20


@dataclass
class Found:
    """What came of the cases of a kind.

    Attributes:
        cases: How many there were.
        codes: How often each exit code came.
        problems: How often each was met.
        slowest: Seconds that the slowest case took.
        seconds: That all took.
        deaths: How often a process died of what other cases had left in it, and not of one alone.
    """

    cases: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    seconds: float = 0.0
    deaths: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"cases": self.cases, "codes": dict(self.codes), "problems": dict(self.problems),
                "slowest": self.slowest, "seconds": self.seconds, "deaths": self.deaths}  # fmt: skip


class _FailsError(Exception):
    """A case has a problem that was not met before, or the one that is being made smaller."""


class _OverError(BaseException):
    """The time is over: no exception that hypothesis takes for a failing case."""


class Explorer:
    """Runs cases of one kind until there were enough, and keeps a small one of each problem.

    Args:
        kind: Of `KINDS`.
        whole: What cases are made from.
        worker: Runs them.
        out: Where cases with a problem are kept.
        deadline: When it has to end, by the monotonic clock.
        counted: Is told of each case whether it is the first of its problem.
    """

    def __init__(
        self, kind: str, whole: Whole, worker: Worker, out: Path, deadline: float, counted: Callable[[bool], None]
    ) -> None:
        self._strategy, self._worker, self._out, self._kind = KINDS[kind][0](whole), worker, out, kind
        self._deadline, self._counted = deadline, counted
        self._current, self._shrinking_ends = "", 0.0
        self.found = Found()

    def explore(self, count: int, first_seed: int) -> Found:
        """Run so many cases, fewer where the time ends."""
        began = time.monotonic()
        try:
            self._explore(count, first_seed)
        finally:
            self.found.seconds = time.monotonic() - began
        return self.found

    def _explore(self, count: int, first_seed: int) -> None:
        rounds = fruitless = 0
        while self.found.cases < count and fruitless < _MOST_FRUITLESS and time.monotonic() < self._deadline:
            before, rounds = self.found.cases, rounds + 1
            left = count - self.found.cases
            drawn = seed(first_seed + rounds)(self._test(left))
            try:
                drawn()
            except (_FailsError, _OverError, HypothesisException, ExceptionGroup):
                # What fails is kept already, the smallest last.
                self._current = ""
            fruitless = 0 if self.found.cases > before else fruitless + 1

    def _test(self, count: int) -> Any:  # noqa: ANN401 - hypothesis wraps it
        @settings(max_examples=count, database=None, deadline=None, phases=(Phase.generate, Phase.shrink),
                  suppress_health_check=list(HealthCheck), report_multiple_bugs=False, print_blob=False,
                  verbosity=Verbosity.quiet)  # fmt: skip
        @given(self._strategy)
        def ends_well(case: Case) -> None:
            self._try(case)

        return ends_well

    def _try(self, case: Case) -> None:
        if time.monotonic() > (self._shrinking_ends if self._current else self._deadline):
            raise _OverError
        outcome = self._worker.outcome(case)
        if not self._current:
            self._count(case, outcome)
        elif outcome.problem == self._current:
            self._keep(case, outcome)
            raise _FailsError

    def _count(self, case: Case, outcome: Outcome) -> None:
        """Take in what came of a case; raises _FailsError where it is to be made smaller."""
        problem = outcome.problem
        self.found.cases += 1
        self.found.codes["none" if outcome.code is None else str(outcome.code)] += 1
        self.found.deaths += outcome.is_again and not problem.startswith(CRASH)
        self.found.slowest = max(self.found.slowest, outcome.seconds)
        if problem:
            self.found.problems[problem] += 1
        is_new = self.found.problems[problem] == 1
        self._counted(is_new)
        if not is_new:
            return
        self._keep(case, outcome)
        # Each try of a smaller one that hangs or dies would take as long.
        if not problem.startswith((HANG, CRASH)):
            self._current, self._shrinking_ends = problem, time.monotonic() + _SHRINKING_SECONDS
            raise _FailsError

    def _keep(self, case: Case, outcome: Outcome) -> None:
        name = "".join(char if char.isalnum() else "-" for char in f"{self._kind} {outcome.problem}")[:100]
        shutil.rmtree(self._out / name, ignore_errors=True)
        case.keep(self._out / name, f"{outcome.problem}\n{outcome.detail}")


def main(argv: list[str] | None = None) -> int:
    """Run the cases in two processes, print what came of them by kind, and write it as JSON."""
    args = parse(argv)
    if args.out.exists() and any(args.out.iterdir()):
        raise InputError(f"{args.out} is not empty; name another --out, or remove it")
    make_folder(args.out)
    out = args.out.resolve()
    context = multiprocessing.get_context("spawn")
    began = time.monotonic()
    # Of each process its cases, and the problems among them that were not met before.
    counts = context.RawArray("q", 2 * args.processes)
    lanes = [context.Process(target=_lane, args=(number, args, out, counts)) for number in range(args.processes)]
    _run_all(lanes, counts, args.inputs, began)
    results = {kind: _joined(out, kind, args.processes) for kind in KINDS}
    for line in table(results):
        say(line)
    say(f"{sum(each.cases for each in results.values())} cases in {time.monotonic() - began:.0f} s; those that failed "
        f"are in {args.out}")  # fmt: skip
    if args.json:
        shown = shown_command("fuzz.py", argv)
        kinds = {kind: each.to_json() for kind, each in results.items()}
        cases = sum(each.cases for each in results.values())
        write_json(args.json, {"cases": cases, "kinds": kinds, "command": shown, **_place(), **provenance()})
    for number, lane in enumerate(lanes):
        if lane.exitcode:
            say(f"process {number} ended with {lane.exitcode}, and its cases are not whole", to_stderr=True)
    ended_well = all(lane.exitcode == 0 for lane in lanes)
    return DONE if ended_well and not any(each.problems for each in results.values()) else FAILED


def _run_all(lanes: Sequence[BaseProcess], counts: "Array[c_longlong]", inputs: int, began: float) -> None:
    """Run the processes, and say now and then how far they are; where it is interrupted they end before their time."""
    for lane in lanes:
        lane.start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _say_progress(lanes, counts, inputs, began)
    except KeyboardInterrupt:
        for lane in lanes:
            lane.terminate()
            lane.join()


def _say_progress(lanes: Sequence[BaseProcess], counts: "Array[c_longlong]", inputs: int, began: float) -> None:
    """Say now and then how far the processes are, until all have ended."""
    said_at = began
    while any(lane.is_alive() for lane in lanes):
        wait([lane.sentinel for lane in lanes if lane.is_alive()], timeout=1.0)
        now = time.monotonic()
        if now - said_at >= _SAID_EVERY_SECONDS:
            said_at = now
            say(f"{sum(counts[::2]):,} of {inputs:,} cases in {now - began:.0f} s, problems {sum(counts[1::2])}")
    for lane in lanes:
        lane.join()


def _place() -> dict[str, Any]:
    """Return what it ran on and with."""
    packages = ("hypothesis", "pillow", "onnxruntime", "openvino")
    versions = {name: version(name) for name in packages if find_spec(_MODULES.get(name, name)) is not None}
    return {"device": Target.of("cpu").conditions.device, "versions": versions}


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="python benchmarks/fuzz.py",
        description="Give the commands pictures, checkpoints, records, ONNX files and command lines that nobody "
        "thought of, and tell what they do other than they should.",
        example="python benchmarks/fuzz.py --inputs 10000 --out runs/fuzz --json fuzz.json",
    )
    parser.add_argument("--inputs", type=int, default=10_000, metavar="N", help="default 10000")
    parser.add_argument("--seconds", type=float, metavar="S", help="end after so many, whatever is left")
    parser.add_argument("--case-seconds", type=float, default=20.0, metavar="S",
                        help="a case that takes longer hangs (default 20)")  # fmt: skip
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="cases at once (default 2)")
    parser.add_argument("--kinds", default=",".join(KINDS), metavar="A,B", help=f"of {', '.join(KINDS)} (default all)")
    parser.add_shared("out", "seed", "json", out="runs/fuzz")
    args = parser.parse_args(argv)
    args.kinds = args.kinds.split(",")
    if unknown := [kind for kind in args.kinds if kind not in KINDS]:
        raise InputError(f"--kinds takes of {', '.join(KINDS)}, got {unknown[0]!r}")
    if args.inputs < 1 or args.processes < 1 or args.case_seconds <= 0 or (args.seconds or 1) <= 0:
        raise InputError("--inputs and --processes must be at least 1, --seconds and --case-seconds over 0")
    return args


def _lane(number: int, args: argparse.Namespace, out: Path, counts: "Array[c_longlong]") -> None:
    """Run a share of the cases of every kind, one after another."""

    def counted(is_new: bool) -> None:  # noqa: FBT001 - a callback
        counts[2 * number] += 1
        counts[2 * number + 1] += is_new

    # Where a library that draws pictures dies, it says where.
    faulthandler.enable()
    # Who started it says when it is to stop: what a terminal or `timeout` sends to all would be a case's own.
    os.setsid()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="paretosr-fuzz-") as place:
        folder = Path(place).resolve()
        set_hypothesis_home_dir(folder / "hypothesis")
        worker = Worker(multiprocessing.get_context("spawn"), folder / "worker", args.case_seconds)
        try:
            whole = Whole.made(folder / "whole")
            shares = {kind: KINDS[kind][1] for kind in args.kinds}
            left = sum(shares.values())
            for index, (kind, share) in enumerate(shares.items()):
                # What a kind leaves of its time is the others'.
                now = time.monotonic()
                ends = now + (began + args.seconds - now) * share / left if args.seconds else float("inf")
                count = -(-round(args.inputs * share / sum(shares.values())) // args.processes)
                explorer = Explorer(kind, whole, worker, out / f"process{number}", ends, counted)
                try:
                    explorer.explore(count, 1_000_000 * args.seed + 100_000 * number + 10_000 * index)
                except Exception:  # noqa: BLE001 - what is wrong with the drawing of one kind takes nothing of the others
                    explorer.found.problems["the drawing of cases failed"] += 1
                    traceback.print_exc()
                finally:
                    write_json(out / f"process{number}" / f"{kind}.json", explorer.found.to_json())
                left -= share
        except KeyboardInterrupt:
            sys.exit(FAILED)
        finally:
            worker.close()


def _joined(out: Path, kind: str, processes: int) -> Found:
    """Return what all processes found of a kind."""
    joined = Found()
    for number in range(processes):
        path = out / f"process{number}" / f"{kind}.json"
        if not path.exists():
            continue
        found = json.loads(path.read_text("utf-8"))
        joined.cases += found["cases"]
        joined.codes.update(found["codes"])
        for problem, count in found["problems"].items():
            joined.problems[without_folders(problem)] += count
        joined.slowest = max(joined.slowest, found["slowest"])
        joined.seconds += found["seconds"]
        joined.deaths += found["deaths"]
    return joined


def table(results: dict[str, Found]) -> list[str]:
    """Return a line per kind, and below it one per problem."""
    lines = [f"{'kind':14} {'cases':>6} {'exit 0':>7} {'1':>6} {'2':>6} {'3':>4} {'problems':>8} {'slowest':>8}"]
    for kind, found in results.items():
        codes = [found.codes[str(code)] for code in range(4)]
        lines.append(
            f"{kind:14} {found.cases:6} {codes[0]:7} {codes[1]:6} {codes[2]:6} {codes[3]:4} "
            f"{len(found.problems):8} {found.slowest:6.1f} s"
        )
        if found.deaths:
            lines.append(f"    {found.deaths:5} times a process died of what other cases had left in it: no problem")
        lines += [f"    {count:5} times: {problem}" for problem, count in found.problems.most_common()]
    return lines


if __name__ == "__main__":
    sys.exit(run(main))
