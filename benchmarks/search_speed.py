"""Search speed: the time until a network within the budget has a PSNR, by our search and by what a user would take.

    python benchmarks/search_speed.py --budget-ms 40 --data DIV2K --val DIV2K --seconds 600 --json search_speed.json

All search the default space for so many seconds from each of three seeds, in turn: Optuna's multivariate TPE and its
NSGA-II, both with our seeds enqueued, each proposal measured; random search that leaves out by our latency model what
is over the budget; plain TPE, to which no architecture is given; and nas.search as it comes. All but the last train
each network within the budget in full; only PSNRs after all of these steps, by the same recipe, count for any. It exits
with 0 whether the goal is met or not: this is a measurement, not a test.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine_paths import shown_command

import paretosr
from nas.config.search import SearchConfig
from nas.config.shared_arguments import add_shared_arguments, shared_config, shared_values
from nas.evaluation_setup import target_of
from nas.time_budget import limit_of
from nas.trial import Trial
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.errors import InputError
from sr.files import write_json
from sr.pareto import hypervolume
from sr.terminal import say

GOAL = 4.0
# Candidates without a better front: neither arm stops before its time.
PATIENCE = 10**6
# What differs between the arms.
_IN_FULL: dict[str, Any] = {"fidelity": "train", "use_predictions": False}
OURS = "ours"
ARMS: dict[str, dict[str, Any]] = {
    "TPE with seeds": {**_IN_FULL, "sampler": "tpe"},
    "NSGA-II with seeds": {**_IN_FULL, "sampler": "nsga2"},
    "random with latency filter": {"fidelity": "train", "sampler": "random", "use_seeds": False},
    "plain TPE": {**_IN_FULL, "sampler": "tpe", "use_seeds": False},
    OURS: {},
}


@dataclass(frozen=True)
class Reached:
    """A PSNR in dB after all steps, the objectives of its network, and when it was known, in seconds."""

    seconds: float
    psnr: float
    runtime_ms: float
    activations: float


def main(argv: list[str] | None = None) -> int:
    """Search by all arms from each seed, and print how much sooner ours was than each, and than the best of them."""
    args = parse(argv)
    target = target_of(shared_config(args))
    runs = [compared(seed, args) for seed in range(args.seed, args.seed + args.seeds)]
    rivals = [arm for arm in ARMS if arm != OURS]
    ratios = {arm: [each["ratios"][arm] for each in runs] for arm in rivals}
    medians = {arm: statistics.median(each) for arm, each in ratios.items()}
    ahead = {arm: sum(each["better"][arm] for each in runs) for arm in rivals}
    for arm in rivals:
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios[arm])
        say(f"{arm}: {medians[arm]:.2f} times sooner in the median of {each}; better at the end in {ahead[arm]} of "
            f"{len(runs)}")  # fmt: skip
    ratio = min(medians.values())
    met = ratio >= GOAL and all(count == len(runs) for count in ahead.values())
    wanted = f"{GOAL:g} times sooner than the best of them, and better at the end in every seed"
    say(f"{'met' if met else 'missed'}: {wanted}")
    if args.json:
        place = target.conditions
        write_json(args.json, {
            "ratio": ratio, "ratios": medians, "better_at_the_end": ahead, "goal": GOAL, "met": met, "runs": runs,
            "device": place.device, "engine": place.engine, "threads": place.threads, "versions": place.versions,
            "date": provenance()["date"],
            "command": shown_command("search_speed.py", argv),
        })  # fmt: skip
    return DONE


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(
        prog="python benchmarks/search_speed.py",
        description="Time our search and others until they reach the same PSNR within a budget.",
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
    """Search by all arms from a seed; against each how much sooner ours reached the best PSNR that both reached.

    Where an arm trained nothing in full, the first network of the other is the mark, and all of its time its own: the
    ratio is a bound then. Raises InputError where ours trained none.
    """
    found = {name: searched(name, seed, args) for name in ARMS}
    if not found[OURS]:
        raise InputError(f"our search trained no network in full in {args.seconds} s; give it more --seconds")
    best = {name: max((each.psnr for each in reached), default=None) for name, reached in found.items()}
    ratios = dict[str, float]()
    for arm, reached in found.items():
        if arm == OURS:
            continue
        mark = min(best[OURS] or 0.0, best[arm] or 0.0) if reached else found[OURS][0].psnr
        ours, theirs = (first_at(mark, each, args.seconds) for each in (found[OURS], reached))
        ratios[arm] = theirs / ours
        ends = "nothing" if best[arm] is None else f"{best[arm]:.3f} dB"
        say(f"seed {seed}: {mark:.3f} dB after {ours:.0f} s by ours, {theirs:.0f} s by {arm} ({ratios[arm]:.2f} times"
            f"{'' if reached else ', a bound'}); in the end {best[OURS]:.3f} dB against {ends}")  # fmt: skip
    return {
        "seed": seed, "ratios": ratios, "best": best, "hypervolume": hypervolumes(found),
        "better": {arm: (best[arm] or 0.0) < (best[OURS] or 0.0) for arm in ratios},
        "trained_in_full": {name: len(reached) for name, reached in found.items()},
        "reached": {name: [[each.seconds, each.psnr, each.runtime_ms] for each in reached]
                    for name, reached in found.items()},
    }  # fmt: skip


def first_at(psnr: float, reached: Sequence[Reached], seconds: float) -> float:
    """Return when a PSNR was reached first, all of the time where it never was."""
    return min((each.seconds for each in reached if each.psnr >= psnr), default=float(seconds))


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
            time_limit=limit_of(args.seconds),
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
