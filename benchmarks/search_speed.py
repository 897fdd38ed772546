"""Search speed: the time until a network within the budget has a PSNR, by our search and by plain Optuna.

    python benchmarks/search_speed.py --budget-ms 40 --data DIV2K --val DIV2K --seconds 600 --json search_speed.json

Both search the default space for so many seconds from each of three seeds, in turn. Plain Optuna is its multivariate
TPE with nothing else: no architecture is given to it, each proposal is measured, and trained in full where it is within
the budget. Ours is nas.search as it comes, up to the same number of steps and by the same recipe; only PSNRs after all
of these steps count for either. The pieces of the device are measured before, once. It exits with 0 whether the goal
is met or not: this is a measurement, not a test.
"""

import argparse
import math
import shlex
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from nas.course import QualityKind, course
from nas.crew import Crew
from nas.evaluate import Setup
from nas.flags import DEFAULT_QUALITY
from nas.foresight import Foresight, measure_pieces
from nas.loop import Search
from nas.optuna_engine import OptunaEngine
from nas.preparation import add_flags, check_flags, load_data, make_setup
from nas.proposers import ENGINES
from nas.runtime_table import RuntimeTable, open_table
from nas.schedule import FINISH_SECONDS, SEARCH_SHARE, Schedule
from nas.trial import Trial
from search_spaces import SPACES
from search_spaces.network import build
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run, say
from sr.device_table import DeviceTable
from sr.errors import InputError
from sr.files import write_json
from sr.latency import conditions
from sr.pareto import hypervolume
from sr.settling import settle

GOAL = 4.0
# Candidates without a better front: neither arm stops before its time.
PATIENCE = 10**6


@dataclass(frozen=True)
class Arm:
    """A way to search; knows: whether it starts from the seeds of the space and foresees runtimes."""

    engine: str
    quality: QualityKind
    knows: bool


ARMS = {"plain": Arm("tpe", "train", knows=False), "ours": Arm("mixed", DEFAULT_QUALITY, knows=True)}


@dataclass
class Timed(Search):
    """A search that notes when it knew what."""

    began: float = field(default_factory=time.monotonic)
    events: list[tuple[float, Trial]] = field(default_factory=list)

    def tell(self, trial: Trial, *, advanced: bool = False) -> None:
        """Note the time of an outcome after all steps."""
        super().tell(trial, advanced=advanced)
        if len(trial.rungs) > self.course.ladder.top:
            self.events.append((time.monotonic() - self.began, trial))


def main(argv: list[str] | None = None) -> int:
    """Search by both arms from each seed, and print how much sooner ours was."""
    args = parse(argv)
    train, val = load_data(args)
    setup = make_setup(args, args.steps, train, val)
    setup = replace(setup, recipe=settle(build(setup.reference), setup.recipe, setup.train, setup.device))
    table = open_table(setup.device, setup.dtype, setup.lr_size, hopeless_ms=setup.budget_ms)
    began = time.monotonic()
    measure_pieces(table, SPACES[args.space], math.inf)
    pieces_seconds = time.monotonic() - began
    say(f"pieces of this device: {pieces_seconds:.0f} s, once")
    runs = [compared(seed, args, setup, table) for seed in range(args.seed, args.seed + args.seeds)]
    ratios = [each["ratio"] for each in runs]
    ratio = statistics.median(ratios)
    say(f"{'met' if ratio >= GOAL else 'missed'}: {GOAL:g} times sooner: {ratio:.2f} times in the median of "
        f"{', '.join(f'{each:.2f}' for each in ratios)}")  # fmt: skip
    if args.json:
        command = shlex.join(["python", "benchmarks/search_speed.py", *(argv if argv is not None else sys.argv[1:])])
        place = conditions(args.device, args.lr_size, args.dtype)
        write_json(args.json, {
            "ratio": ratio, "goal": GOAL, "met": ratio >= GOAL, "runs": runs, "pieces_seconds": pieces_seconds,
            "recipe": asdict(setup.recipe), "pictures": [len(setup.train), *setup.val.names],
            "device": place.device, "threads": place.threads, "versions": place.versions, "date": provenance()["date"],
            "command": command,
        })  # fmt: skip
    return DONE


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="python benchmarks/search_speed.py",
        description="Time our search and plain Optuna until they reach the same PSNR within a budget.",
        example="python benchmarks/search_speed.py --budget-ms 40 --data DIV2K --val DIV2K --json search_speed.json",
    )
    add_flags(parser)
    parser.add_argument("--seconds", type=int, default=600, metavar="N", help="of each search (default 600)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="default 3")
    parser.add_argument("--steps", type=int, default=1200, metavar="N", help="of a full training (default 1200)")
    parser.add_shared("data", "val", "device", "seed", "json")
    args = parser.parse_args(argv)
    check_flags(args, "seconds", "seeds", "steps")
    return args


def compared(seed: int, args: argparse.Namespace, setup: Setup, table: RuntimeTable) -> dict[str, Any]:
    """Search by both arms from a seed; how much sooner ours reached the best PSNR that both reached.

    Where an arm trained nothing in full, the first network of the other is the mark, and all of its time its own: the
    ratio is a bound then. Raises InputError where neither did.
    """
    seeded = replace(setup, recipe=replace(setup.recipe, seed=seed))
    found = {name: searched(arm, seed, args, seeded, table) for name, arm in ARMS.items()}
    if not any(found.values()):
        raise InputError(f"neither search trained a network in full in {args.seconds} s; give them more --seconds")
    both = all(found.values())
    mark = (
        min(max(map(psnr_of, events)) for events in found.values())
        if both
        else min(psnr_of(events[0]) for events in found.values() if events)
    )
    seconds = {
        name: min((when for when, trial in events if psnr_of((when, trial)) >= mark), default=float(args.seconds))
        for name, events in found.items()
    }
    points = {name: [(-psnr_of(event), *event[1].objectives[1:]) for event in events] for name, events in found.items()}
    every = [point for each in points.values() for point in each]
    corner = tuple(max(point[index] for point in every) * (1.001 if index else 0.999) for index in range(3))
    ratio = seconds["plain"] / seconds["ours"]
    best = {name: max(map(psnr_of, events), default=None) for name, events in found.items()}
    ends = ["nothing" if best[name] is None else f"{best[name]:.3f} dB" for name in ("ours", "plain")]
    say(f"seed {seed}: {mark:.3f} dB after {seconds['ours']:.0f} s by ours, {seconds['plain']:.0f} s by plain Optuna "
        f"({ratio:.2f} times{'' if both else ', a bound'}); in the end {' against '.join(ends)}")  # fmt: skip
    return {
        "seed": seed, "psnr": mark, "seconds": seconds, "ratio": ratio, "bound": not both, "best": best,
        "hypervolume": {name: hypervolume(each, corner) for name, each in points.items()},
        "trained_in_full": {name: len(events) for name, events in found.items()},
    }  # fmt: skip


def searched(
    arm: Arm, seed: int, args: argparse.Namespace, setup: Setup, table: RuntimeTable
) -> list[tuple[float, Trial]]:
    """Search for the given time; what was known after all steps, and when."""
    space = SPACES[args.space] if arm.knows else replace(SPACES[args.space], seeds=())
    nothing = RuntimeTable(DeviceTable("nothing", setup.device, setup.dtype, None), setup.lr_size)
    with tempfile.TemporaryDirectory() as name, Crew(1, setup) as crew:
        out = Path(name)
        climbed = course(arm.quality, setup, out / "candidates")
        foresight = Foresight(table if arm.knows else nothing, setup, climbed.ladder)
        engine = OptunaEngine(
            space, "benchmark", str(out / "study.journal"), seed, setup.budget_ms,
            proposer=ENGINES[arm.engine], promising=foresight.promising, hope=foresight.hope,
        )  # fmt: skip
        # All of the time is for candidates here.
        schedule = Schedule(args.seconds / SEARCH_SHARE + FINISH_SECONDS, None)
        search = Timed(engine, climbed, crew, schedule, foresight, out, PATIENCE)
        search.run()
    return search.events


def psnr_of(event: tuple[float, Trial]) -> float:
    """Return the PSNR after all steps of what was known then."""
    return event[1].rungs[-1].psnr


if __name__ == "__main__":
    sys.exit(run(main))
