"""Pruning per layer beside torch-pruning's groups, in every engine: runtimes at equal PSNR.

    python benchmarks/pruning.py hcsrn.pth --engines torch,onnxruntime,openvino --ratios 0.45,0.27 \
        --data DIV2K --val DIV2K --json pruning.json

Prunes the network to each share of its runtime in each engine, by our own method and by coupled groups, with the same
rounds and the same fine-tuning, and prints each goal with what was measured. It exits with 0 whether they are met or
not: this is a measurement, not a test. Killed, the same command goes on.

What an engine's plan keeps follows from what steps take in it, so that rounds and fine-tuning are an engine's own; the
dense network's fine-tuning is not, and is done once.
"""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from machine_paths import shown_command

from prune import flags
from prune.config import PER_LAYER, PruneConfig
from prune.planning.time_plan import Steps
from sr.command import DONE, Parser, run
from sr.constraints import ENGINE_NAMES
from sr.errors import InputError
from sr.files import write_json
from sr.terminal import Terminal, say

# Both methods end within this share of the runtime asked for, and so of each other's.
SAME_RUNTIME = 0.03
# Ours is never further below the groups than this many dB. Where a third and less is left there is more to gain by
# choosing for every convolution: so many dB above them, or so little of their runtime.
SAME_PSNR, LITTLE, MORE_PSNR, LESS_RUNTIME = 0.02, 0.3, 0.05, 0.9
# By how many times faster than dense: how many dB may be lost.
MOST_LOST = {1.6: 0.05, 2.2: 0.10}
# How far apart the outputs of the masked network and of what is shipped may lie.
SAME_OUTPUT = 1e-4


@dataclass(frozen=True)
class Asked:
    """What is pruned, how, in which engines, to which shares of the runtime, and where the figures go."""

    checkpoint: Path
    config: PruneConfig
    engines: tuple[str, ...]
    ratios: tuple[float, ...]
    json: Path | None


def main(argv: list[str] | None = None) -> int:
    """Prune for each engine and share and print what came out."""
    asked = parse(argv)
    results = {(engine, ratio): pruned(engine, ratio, asked) for engine in asked.engines for ratio in asked.ratios}
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
        description="Prune a network in several engines to several shares of its runtime, beside coupled groups; "
        "other flags are those of prune.run.",
        example="python benchmarks/pruning.py hcsrn.pth --engines torch,openvino --data DIV2K --val DIV2K",
    )
    parser.add_argument("checkpoint", metavar="CKPT", help="the dense network")
    parser.add_argument("--engines", default="onnxruntime", metavar="NAMES",
                        help=f"between commas, of {', '.join(ENGINE_NAMES)} (default onnxruntime)")  # fmt: skip
    parser.add_argument("--ratios", default="0.45", metavar="NUMBERS", help="between commas (default 0.45)")
    parser.add_shared("out", "json", out="runs/benchmark-pruning")
    args, rest = parser.parse_known_args(argv)
    engines = tuple(dict.fromkeys(args.engines.split(",")))
    if not set(engines) <= set(ENGINE_NAMES):
        raise InputError(f"--engines takes names between commas, of {', '.join(ENGINE_NAMES)}; got {args.engines}")
    config = flags.parse([args.checkpoint, *rest]).config
    # One number of steps for all: the dense network is fine-tuned once, for every engine and share.
    steps = Steps().fine_tune if config.fine_tune_steps is None else config.fine_tune_steps
    config = replace(
        config, targets=("runtime",), methods=(PER_LAYER, "group"), fine_tune_steps=steps, out=args.out
    )  # fmt: skip
    return Asked(Path(args.checkpoint), config, engines, _numbers(args.ratios), args.json)


def _numbers(text: str) -> tuple[float, ...]:
    """Return the numbers between commas."""
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise InputError(f"--ratios must be numbers between commas, got {text!r}") from error


def pruned(engine: str, ratio: float, asked: Asked) -> dict[str, Any]:
    """Prune to a share of the runtime, going on where an earlier run stopped, and return its results."""
    out = asked.config.folder / engine / str(ratio)
    results = out / "results.json"
    if not results.is_file():
        from prune.pipeline import prune

        _take_dense(out, asked)
        config = replace(
            asked.config, engine=engine, ratio=ratio, budget=None, out=out, resume=(out / "asked.json").exists()
        )
        prune(asked.checkpoint, config, report=Terminal())
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return found


def _take_dense(out: Path, asked: Asked) -> None:
    """Take over the dense network that another run fine-tuned: by the same steps from the same seed."""
    there = sorted(asked.config.folder.glob("*/*/dense/network.pth"))
    if there and not (out / "dense").exists():
        shutil.copytree(there[0].parent, out / "dense")


def figures(
    results: dict[tuple[str, float], dict[str, Any]],
    goals: Sequence[dict[str, Any]],
    asked: Asked,
    argv: Sequence[str] | None,
) -> dict[str, Any]:
    """Return all that was measured, with where and when, as JSON values."""
    from sr.checkpoint import provenance
    from sr.measure.target import Target

    places = [
        Target.of(asked.config.device, asked.config.lr_size, asked.config.dtype, engine).conditions
        for engine in asked.engines
    ]
    return {
        "goals": list(goals), "device": places[0].device, "threads": places[0].threads,
        "date": provenance()["date"],
        "command": shown_command("pruning.py", argv),
        "runs": [
            {"engine": engine, "ratio": ratio, "beside_group": beside_group(result), **without_layers(result)}
            for (engine, ratio), result in results.items()
        ],
        "conditions": [asdict(place) for place in places],
    }  # fmt: skip


def ours(result: dict[str, Any]) -> dict[str, Any]:
    """Return the best outcome of our own method."""
    found: list[dict[str, Any]] = [each for each in result["outcomes"] if each["name"].startswith(PER_LAYER)]
    return min(found, key=lambda each: float(each["psnr_lost"]))


def beside_group(result: dict[str, Any]) -> dict[str, float] | None:
    """Return the runtime of ours as a share of the groups', and how many dB it is above them; None where left out."""
    best, group = ours(result), next((each for each in result["outcomes"] if each["name"] == "group"), None)
    return (
        None
        if group is None
        else {
            "runtime_share": group["speed_up"] / best["speed_up"],
            "psnr_gained": group["psnr_lost"] - best["psnr_lost"],
        }
    )


def judged(results: dict[tuple[str, float], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the goals with what was measured."""
    goals = []
    for (engine, ratio), result in results.items():
        goals.append(_on_the_mark(f"{engine}, {ratio}", ratio, result))
        goals.append(_against_group(f"{engine}, {ratio}", ratio, result))
        goals.append(_same_output(f"{engine}, {ratio}", result))
    for engine in dict.fromkeys(engine for engine, _ in results):
        own = [result for (name, _), result in results.items() if name == engine]
        goals += [_against_dense(engine, times, lost, own) for times, lost in MOST_LOST.items()]
    return goals


def _against_group(where: str, ratio: float, result: dict[str, Any]) -> dict[str, Any]:
    """Judge whether ours is at the groups' runtime and no worse, and where little is left better."""
    found, more = beside_group(result), ratio <= LITTLE
    text = f"{where}: at most {1 + SAME_RUNTIME} of the groups' runtime, at most {SAME_PSNR} dB below them"
    text += f", and {MORE_PSNR} dB above or at most {LESS_RUNTIME} of it" if more else ""
    if found is None:
        return goal(text, "; ".join(result["left_out"]), met=False)
    given_way = " (another method's network)" if result["fallbacks"] else ""
    return goal(
        text,
        f"{found['runtime_share']:.3f} of it at {found['psnr_gained']:+.3f} dB{given_way}; {describe(ours(result))}",
        met=found["runtime_share"] <= 1 + SAME_RUNTIME
        and found["psnr_gained"] >= -SAME_PSNR
        and (not more or found["psnr_gained"] >= MORE_PSNR or found["runtime_share"] <= LESS_RUNTIME),
    )


def _on_the_mark(where: str, ratio: float, result: dict[str, Any]) -> dict[str, Any]:
    """Judge whether every method came to the runtime that it was asked for."""
    shares = {each["name"]: 1 / each["speed_up"] for each in result["outcomes"] if each["reached"] is not None}
    return goal(
        f"{where}: every method within {SAME_RUNTIME:.0%} of the runtime asked for",
        ", ".join(f"{name} {share:.3f}" for name, share in shares.items()),
        met=all(abs(share / ratio - 1) <= SAME_RUNTIME for share in shares.values()),
    )


def _same_output(where: str, result: dict[str, Any]) -> dict[str, Any]:
    """Judge whether the masked network, the slim one and the file compute the same."""
    masked, shipped = float(ours(result)["difference"]), float(result["shipped"]["difference"])
    return goal(
        f"{where}: masked, slim and shipped within {SAME_OUTPUT:g} of each other",
        f"masked and slim {masked:.1e}, slim and {result['shipped']['file']} {shipped:.1e}",
        met=masked + shipped <= SAME_OUTPUT,
    )


def _against_dense(engine: str, times: float, most_lost: float, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Judge the run that loses the least of those that are fast enough; the fastest where none is."""
    all_ours = [ours(result) for result in results]
    fast = [each for each in all_ours if each["speed_up"] >= times]
    best = min(fast or all_ours, key=lambda each: each["psnr_lost"] if fast else -each["speed_up"])
    return goal(
        f"{engine}: at most {most_lost} dB lost at {times} times the speed, and never slower than dense",
        f"{describe(best)}; the slowest run {min(each['speed_up'] for each in all_ours):.2f} times",
        met=bool(fast) and best["psnr_lost"] <= most_lost and all(each["speed_up"] >= 1 for each in all_ours),
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
