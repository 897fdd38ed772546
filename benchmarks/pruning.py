"""Pruning against its goals: how much faster at what loss, and beside torch-pruning's groups.

    python benchmarks/pruning.py hcsrn.pth --data DIV2K --val DIV2K --json pruning.json

Prunes the network to several shares of its runtime by our own method and by coupled groups, same rounds, same
fine-tuning of all networks, and prints each goal with what was measured. It exits with 0 whether they are met or not:
this is a measurement, not a test.
"""

import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from prune import flags
from prune.config import PER_LAYER, PruneConfig
from sr.command import DONE, Parser, run
from sr.files import write_json
from sr.terminal import Terminal, say

# Shares of the dense runtime that are asked for.
RATIOS = (0.445, 0.27)
# By how many times faster: how many dB may be lost.
MOST_LOST = {1.6: 0.05, 2.2: 0.10}
SAME_RUNTIME, SAME_PSNR = 0.03, 0.01
GAIN, SHARE = 0.05, 0.95


@dataclass(frozen=True)
class Asked:
    """What is pruned, how, and where the figures go."""

    checkpoint: Path
    config: PruneConfig
    json: Path | None


def main(argv: list[str] | None = None) -> int:
    """Prune for each goal and print what came out."""
    asked = parse(argv)
    results = [pruned(ratio, asked) for ratio in RATIOS]
    goals = judged(results)
    for goal in goals:
        say(f"{'met' if goal['met'] else 'missed'}: {goal['goal']}: {goal['measured']}")
    if asked.json:
        write_json(asked.json, figures(results, goals, asked, argv))
    return DONE


def parse(argv: list[str] | None) -> Asked:
    """Read what this command needs; the rest are flags of prune.run."""
    parser = Parser(
        prog="python benchmarks/pruning.py",
        description="Prune a network to several shares of its runtime and compare with the goals; "
        "other flags are those of prune.run.",
        example="python benchmarks/pruning.py hcsrn.pth --data DIV2K --val DIV2K --json pruning.json",
    )
    parser.add_argument("checkpoint", metavar="CKPT", help="the dense network")
    parser.add_shared("out", "json", out="runs/benchmark-pruning")
    args, rest = parser.parse_known_args(argv)
    config = flags.parse([args.checkpoint, *rest]).config
    config = replace(config, targets=("runtime",), methods=(PER_LAYER, "group"), out=args.out)
    return Asked(Path(args.checkpoint), config, args.json)


def pruned(ratio: float, asked: Asked) -> dict[str, Any]:
    """Prune to a share of the runtime, going on where an earlier run stopped, and return its results."""
    out = asked.config.folder / str(ratio)
    dense = asked.config.folder / str(RATIOS[0]) / "dense"
    if dense.is_dir() and not out.exists():
        # Trained by the same steps from the same seed, it would come out the same.
        shutil.copytree(dense, out / "dense")
    results = out / "results.json"
    if not results.is_file():
        from prune.pipeline import prune

        config = replace(asked.config, ratio=ratio, budget=None, out=out, resume=(out / "asked.json").exists())
        prune(asked.checkpoint, config, report=Terminal())
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return found


def figures(
    results: Sequence[dict[str, Any]], goals: Sequence[dict[str, Any]], asked: Asked, argv: Sequence[str] | None
) -> dict[str, Any]:
    """Return all that was measured, with where and when, as JSON values."""
    from sr.checkpoint import provenance
    from sr.measure.target import Target

    best = ours(results[-1])
    place = Target.of(asked.config.device, asked.config.lr_size, asked.config.dtype).conditions
    return {
        "ratio": best["speed_up"], "psnr_lost": best["psnr_lost"], "goals": list(goals),
        "device": place.device, "threads": place.threads, "versions": place.versions, "date": provenance()["date"],
        "command": shlex.join(["python", "benchmarks/pruning.py", *(argv if argv is not None else sys.argv[1:])]),
        "runs": [without_layers(result) for result in results],
        "conditions": asdict(place),
    }  # fmt: skip


def ours(result: dict[str, Any]) -> dict[str, Any]:
    """Return the best outcome of our own method."""
    found: list[dict[str, Any]] = [each for each in result["outcomes"] if each["name"].startswith(PER_LAYER)]
    return min(found, key=lambda each: float(each["psnr_lost"]))


def judged(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the goals with what was measured."""
    return [*(against_dense(times, lost, results) for times, lost in MOST_LOST.items()), against_groups(results)]


def against_dense(times: float, most_lost: float, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Judge the run that loses the least of those that are fast enough; the fastest where none is."""
    all_ours = [ours(result) for result in results]
    fast = [each for each in all_ours if each["speed_up"] >= times]
    best = min(fast or all_ours, key=lambda each: each["psnr_lost"] if fast else -each["speed_up"])
    return goal(
        f"at most {most_lost} dB lost at {times} times the speed, and never slower than dense",
        f"{describe(best)}; the slowest run {min(each['speed_up'] for each in all_ours):.2f} times",
        met=bool(fast) and best["psnr_lost"] <= most_lost and all(each["speed_up"] >= 1 for each in all_ours),
    )


def against_groups(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Judge whether our method is ahead of the groups in any run."""
    runs = []
    for result in results:
        best, group = ours(result), next(each for each in result["outcomes"] if each["name"] == "group")
        gain, share = group["psnr_lost"] - best["psnr_lost"], group["speed_up"] / best["speed_up"]
        ahead = (gain >= GAIN and share <= 1 + SAME_RUNTIME) or (gain >= -SAME_PSNR and share <= SHARE)
        runs.append((ahead, f"{gain:+.3f} dB at {share:.3f} of its runtime ({describe(best)})"))
    return goal(
        f"{GAIN} dB above coupled groups at equal runtime, or at most {SHARE} of its runtime at equal PSNR",
        "; ".join(text for _, text in runs),
        met=any(ahead for ahead, _ in runs),
    )


def describe(outcome: dict[str, Any]) -> str:
    """Return what a method came to."""
    return f"{outcome['name']}: {outcome['psnr_lost']:.3f} dB lost at {outcome['speed_up']:.2f} times"


def goal(text: str, measured: str, *, met: bool) -> dict[str, Any]:
    """Return one line of the comparison."""
    return {"goal": text, "measured": measured, "met": met}


def without_layers(result: dict[str, Any]) -> dict[str, Any]:
    """Return results without the figures of single layers."""
    outcomes = [{name: value for name, value in each.items() if name != "layers"} for each in result["outcomes"]]
    return {**result, "outcomes": outcomes}


if __name__ == "__main__":
    sys.exit(run(main))
