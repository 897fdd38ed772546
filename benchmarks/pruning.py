"""Pruning against its goals: how much faster at what loss, and beside torch-pruning's groups.

    python benchmarks/pruning.py hcsrn.pth --data DIV2K --val DIV2K --json pruning.json

Prunes the network to several shares of its runtime by our own way and by coupled groups, same rounds, same fine-tuning
of all networks, and prints each goal with what was measured. It exits with 0 whether they are met or not: this is a
measurement, not a test.
"""

import argparse
import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from prune import flags
from prune import run as pruning
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run, say
from sr.files import write_json
from sr.latency import conditions

# Shares of the dense runtime that are asked for.
RATIOS = (0.445, 0.27)
# By how many times faster: how many dB may be lost.
MOST_LOST = {1.6: 0.05, 2.2: 0.10}
SAME_RUNTIME, SAME_PSNR = 0.03, 0.01
GAIN, SHARE = 0.05, 0.95


def main(argv: list[str] | None = None) -> int:
    """Prune for each goal and print what came out."""
    args, rest = parse(argv)
    results = [pruned(ratio, args, rest) for ratio in RATIOS]
    goals = judged(results)
    for goal in goals:
        say(f"{'met' if goal['met'] else 'missed'}: {goal['goal']}: {goal['measured']}")
    if args.json:
        fine = ours(results[-1])
        place = conditions(args.device, args.lr_size, "float32")
        write_json(args.json, {
            "ratio": fine["speed_up"], "psnr_lost": fine["psnr_lost"], "goals": goals,
            "device": place.device, "threads": place.threads, "versions": place.versions, "date": provenance()["date"],
            "command": shlex.join(["python", "benchmarks/pruning.py", *(argv if argv is not None else sys.argv[1:])]),
            "runs": [without_layers(result) for result in results],
            "conditions": asdict(place),
        })  # fmt: skip
    return DONE


def parse(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Read what this command needs; the rest goes to prune.run as it is."""
    parser = Parser(
        prog="python benchmarks/pruning.py",
        description="Prune a network to several shares of its runtime and compare with the goals; "
        "other flags are those of prune.run.",
        example="python benchmarks/pruning.py hcsrn.pth --data DIV2K --val DIV2K --json pruning.json",
    )
    parser.add_argument("checkpoint", metavar="CKPT", help="the dense network")
    parser.add_shared("out", "device", "json", out="runs/benchmark-pruning")
    args, rest = parser.parse_known_args(argv)
    args.lr_size = flags.parse([args.checkpoint, *rest]).lr_size
    return args, rest


def pruned(ratio: float, args: argparse.Namespace, rest: Sequence[str]) -> dict[str, Any]:
    """Prune to a share of the runtime, going on where an earlier run stopped, and return its results."""
    out = args.out / str(ratio)
    dense = args.out / str(RATIOS[0]) / "dense"
    if dense.is_dir() and not out.exists():
        # Trained by the same steps from the same seed, it would come out the same.
        shutil.copytree(dense, out / "dense")
    results = out / "results.json"
    if not results.is_file():
        resume = ["--resume"] if (out / "asked.json").exists() else []
        command = [args.checkpoint, "--target", "runtime", "--ratio", str(ratio), "--arms", "fine,group"]
        pruning.main([*command, "--out", str(out), "--device", str(args.device), *rest, *resume])
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return found


def ours(result: dict[str, Any]) -> dict[str, Any]:
    """Return our best arm."""
    arms: list[dict[str, Any]] = [arm for arm in result["arms"] if arm["name"].startswith("fine")]
    return min(arms, key=lambda arm: float(arm["psnr_lost"]))


def judged(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the goals with what was measured."""
    return [*(against_dense(times, lost, results) for times, lost in MOST_LOST.items()), against_groups(results)]


def against_dense(times: float, most_lost: float, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Judge the run that loses the least of those that are fast enough; the fastest where none is."""
    arms = [ours(result) for result in results]
    fast = [arm for arm in arms if arm["speed_up"] >= times]
    arm = min(fast or arms, key=lambda each: each["psnr_lost"] if fast else -each["speed_up"])
    return goal(
        f"at most {most_lost} dB lost at {times} times the speed, and never slower than dense",
        f"{in_words(arm)}; the slowest run {min(each['speed_up'] for each in arms):.2f} times",
        met=bool(fast) and arm["psnr_lost"] <= most_lost and all(each["speed_up"] >= 1 for each in arms),
    )


def against_groups(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Judge whether our way is ahead of the groups in any run."""
    runs = []
    for result in results:
        fine, group = ours(result), next(arm for arm in result["arms"] if arm["name"] == "group")
        gain, share = group["psnr_lost"] - fine["psnr_lost"], group["speed_up"] / fine["speed_up"]
        ahead = (gain >= GAIN and share <= 1 + SAME_RUNTIME) or (gain >= -SAME_PSNR and share <= SHARE)
        runs.append((ahead, f"{gain:+.3f} dB at {share:.3f} of its runtime ({in_words(fine)})"))
    return goal(
        f"{GAIN} dB above the group arm at equal runtime, or at most {SHARE} of its runtime at equal PSNR",
        "; ".join(text for _, text in runs),
        met=any(ahead for ahead, _ in runs),
    )


def in_words(arm: dict[str, Any]) -> str:
    """Return what an arm came to."""
    return f"{arm['name']}: {arm['psnr_lost']:.3f} dB lost at {arm['speed_up']:.2f} times"


def goal(text: str, measured: str, *, met: bool) -> dict[str, Any]:
    """Return one line of the comparison."""
    return {"goal": text, "measured": measured, "met": met}


def without_layers(result: dict[str, Any]) -> dict[str, Any]:
    """Return results without the figures of single layers."""
    arms = [{name: value for name, value in arm.items() if name != "layers"} for arm in result["arms"]]
    return {**result, "arms": arms}


if __name__ == "__main__":
    sys.exit(run(main))
