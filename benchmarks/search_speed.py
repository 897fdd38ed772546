"""Search speed: the time until a network within the budget has a PSNR, by our search and by plain Optuna.

    python benchmarks/search_speed.py --budget-ms 40 --data DIV2K --val DIV2K --seconds 600 --json search_speed.json

Both search the default space for so many seconds from each of three seeds, in turn. Plain Optuna is its multivariate
TPE with nothing else: no architecture is given to it, each proposal is measured, and trained in full where it is within
the budget. Ours is nas.search as it comes, up to the same number of steps and by the same recipe; only PSNRs after all
of these steps count for either. The latency table of the device is measured before, once. It exits with 0 whether the
goal is met or not: this is a measurement, not a test.
"""

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paretosr
from nas.config.search import SearchConfig
from nas.config.shared_arguments import add_shared_arguments, shared_config, shared_values
from nas.evaluation_setup import target_of
from nas.predictors.latency_table import measure_entries, open_table
from nas.time_budget import FINISH_SECONDS, SEARCH_SHARE
from nas.trial import Trial
from search_spaces import SPACES
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.errors import InputError
from sr.files import write_json
from sr.pareto import hypervolume
from sr.terminal import Terminal, say

GOAL = 4.0
# Candidates without a better front: neither arm stops before its time.
PATIENCE = 10**6
# What differs between the arms: plain Optuna knows nothing of the space and of the device.
ARMS: dict[str, dict[str, Any]] = {
    "plain": {"sampler": "tpe", "fidelity": "train", "use_seeds": False, "use_predictions": False},
    "ours": {},
}


@dataclass(frozen=True)
class Reached:
    """A PSNR in dB after all steps, the objectives of its network, and when it was known, in seconds."""

    seconds: float
    psnr: float
    runtime_ms: float
    activations: float


def main(argv: list[str] | None = None) -> int:
    """Search by both arms from each seed, and print how much sooner ours was."""
    args = parse(argv)
    config = shared_config(args)
    target = target_of(config)
    began = time.monotonic()
    measure_entries(
        open_table(target, early_stop_ms=config.budget_ms, report=Terminal()), SPACES[config.space], math.inf
    )
    table_seconds = time.monotonic() - began
    say(f"latency table of this device: {table_seconds:.0f} s, once")
    runs = [compared(seed, args) for seed in range(args.seed, args.seed + args.seeds)]
    ratios = [each["ratio"] for each in runs]
    ratio = statistics.median(ratios)
    say(f"{'met' if ratio >= GOAL else 'missed'}: {GOAL:g} times sooner: {ratio:.2f} times in the median of "
        f"{', '.join(f'{each:.2f}' for each in ratios)}")  # fmt: skip
    if args.json:
        place = target.conditions
        write_json(args.json, {
            "ratio": ratio, "goal": GOAL, "met": ratio >= GOAL, "runs": runs, "latency_table_seconds": table_seconds,
            "device": place.device, "threads": place.threads, "versions": place.versions, "date": provenance()["date"],
            "command": " ".join(["python", "benchmarks/search_speed.py", *(sys.argv[1:] if argv is None else argv)]),
        })  # fmt: skip
    return DONE


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="python benchmarks/search_speed.py",
        description="Time our search and plain Optuna until they reach the same PSNR within a budget.",
        example="python benchmarks/search_speed.py --budget-ms 40 --data DIV2K --val DIV2K --json search_speed.json",
    )
    add_shared_arguments(parser)
    parser.add_argument("--seconds", type=int, default=600, metavar="N", help="of each search (default 600)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="default 3")
    parser.add_argument("--steps", type=int, default=1200, metavar="N", help="of a full training (default 1200)")
    parser.add_shared("json")
    args = parser.parse_args(argv)
    if min(args.seconds, args.seeds, args.steps) < 1:
        raise InputError("--seconds, --seeds and --steps must be at least 1")
    return args


def compared(seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Search by both arms from a seed; how much sooner ours reached the best PSNR that both reached.

    Where an arm trained nothing in full, the first network of the other is the mark, and all of its time its own: the
    ratio is a bound then. Raises InputError where neither did.
    """
    found = {name: searched(name, seed, args) for name in ARMS}
    if not any(found.values()):
        raise InputError(f"neither search trained a network in full in {args.seconds} s; give them more --seconds")
    both = all(found.values())
    mark = (
        min(max(each.psnr for each in reached) for reached in found.values())
        if both
        else min(reached[0].psnr for reached in found.values() if reached)
    )
    seconds = {
        name: min((each.seconds for each in reached if each.psnr >= mark), default=float(args.seconds))
        for name, reached in found.items()
    }
    ratio = seconds["plain"] / seconds["ours"]
    best = {name: max((each.psnr for each in reached), default=None) for name, reached in found.items()}
    ends = ["nothing" if best[name] is None else f"{best[name]:.3f} dB" for name in ("ours", "plain")]
    say(f"seed {seed}: {mark:.3f} dB after {seconds['ours']:.0f} s by ours, {seconds['plain']:.0f} s by plain Optuna "
        f"({ratio:.2f} times{'' if both else ', a bound'}); in the end {' against '.join(ends)}")  # fmt: skip
    return {
        "seed": seed, "psnr": mark, "seconds": seconds, "ratio": ratio, "bound": not both, "best": best,
        "hypervolume": hypervolumes(found),
        "trained_in_full": {name: len(reached) for name, reached in found.items()},
    }  # fmt: skip


def hypervolumes(found: Mapping[str, list[Reached]]) -> dict[str, float]:
    """Return the volume that each arm's networks dominate, up to a corner just beyond the worst of both."""
    points = {
        name: [(-each.psnr, each.runtime_ms, each.activations) for each in reached] for name, reached in found.items()
    }
    every = [point for each in points.values() for point in each]
    corner = tuple(max(point[index] for point in every) * (1.001 if index else 0.999) for index in range(3))
    return {name: hypervolume(each, corner) for name, each in points.items()}


def searched(arm: str, seed: int, args: argparse.Namespace) -> list[Reached]:
    """Search for the given time; what was known after all steps, and when."""
    found: list[Reached] = []
    with tempfile.TemporaryDirectory() as name:
        config = SearchConfig(
            **{**shared_values(args), "seed": seed}, **ARMS[arm], out=Path(name), patience=PATIENCE, workers=1,
            trial_steps=args.steps, train_steps=1,
            # All of the given time is for candidates.
            time_limit=args.seconds / SEARCH_SHARE + FINISH_SECONDS,
        )  # fmt: skip
        began = time.monotonic()

        def note(trial: Trial) -> None:
            if trial.rungs and trial.rungs[-1].steps == args.steps:
                _, runtime_ms, activations = trial.objectives
                found.append(Reached(time.monotonic() - began, trial.rungs[-1].psnr, runtime_ms, activations))

        paretosr.search(config, on_trial=note)
    return found


if __name__ == "__main__":
    sys.exit(run(main))
