"""Ranking: whether cheap scores put networks in the order that full training does, against the goals.

    python benchmarks/ranking.py --budget-ms 40 --data DIV2K --val DIV2K --steps 2000 --json ranking.json

Calibrates on 24 networks of the default space (python -m nas.calibrate; other flags are its own) and judges what the
search ranks by: the PSNR of the first rung, or the regression that reads it where that ranks better. It exits with 0
whether the goals are met or not: this is a measurement, not a test.
"""

import argparse
import json
import shlex
import sys
from typing import Any

from nas import calibrate
from nas.calibration import regression_name, rung_name
from sr.command import DONE, Parser, run, say
from sr.files import write_json

NETWORKS = 24
# What nas.search promotes by: the better of the two, see nas.foresight.
DEFAULTS = (rung_name(0), regression_name((rung_name(0),)))
TAU, SHARE, TOP = 0.80, 0.10, 3


def main(argv: list[str] | None = None) -> int:
    """Calibrate, and print each goal with what was measured."""
    args, rest = parse(argv)
    calibrate.main(["--networks", str(NETWORKS), "--out", str(args.out), "--device", str(args.device), *rest])
    results: dict[str, Any] = json.loads((args.out / "calibration.json").read_text(encoding="utf-8"))
    default, goals = judged(results["rankings"])
    for each in goals:
        say(f"{'met' if each['met'] else 'missed'}: {each['goal']}: {each['measured']}")
    if args.json:
        command = shlex.join(["python", "benchmarks/ranking.py", *(argv if argv is not None else sys.argv[1:])])
        write_json(args.json, results | {"default": default, "goals": goals, "command": command})
    return DONE


def judged(rankings: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what the search ranks by, and the goals with what was measured."""
    default = max((each for each in rankings if each["name"] in DEFAULTS), key=lambda each: float(each["tau"] or 0))
    tau, share, top = default["tau"] or 0.0, default["cost_share"], default["top3_in_first6"]
    return default, [
        goal(f"tau of the default at least {TAU}", f"{tau:.3f} ({default['name']})", met=tau >= TAU),
        goal(f"at no more than {SHARE:.0%} of a full training", f"{share:.1%}", met=share <= SHARE),
        goal(f"the best {TOP} among the first 6", str(top), met=top == TOP),
    ]


def parse(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    """Read what this command needs; the rest goes to nas.calibrate as it is."""
    parser = Parser(
        prog="python benchmarks/ranking.py",
        description="Judge cheap scores by 24 networks trained in full; other flags are those of nas.calibrate.",
        example="python benchmarks/ranking.py --budget-ms 40 --data DIV2K --val DIV2K --steps 2000 --json ranking.json",
    )
    parser.add_shared("out", "device", "json", out="runs/benchmark-ranking")
    return parser.parse_known_args(argv)


def goal(text: str, measured: str, *, met: bool) -> dict[str, Any]:
    """Return one line of the comparison."""
    return {"goal": text, "measured": measured, "met": met}


if __name__ == "__main__":
    sys.exit(run(main))
