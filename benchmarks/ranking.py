"""Ranking: whether cheap scores put networks in the order that full training does, against the goals.

    python benchmarks/ranking.py --budget-ms 40 --data DIV2K --val DIV2K --steps 2000 --json ranking.json

Calibrates on 24 networks of the default space (python -m nas.calibrate; other flags are its own) and judges what the
search ranks by: the PSNR of the first rung, or the regression that reads it where that ranks better. It exits with 0
whether the goals are met or not: this is a measurement, not a test.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine_paths import shown_command

from nas.calibrate import parse as parse_calibration
from nas.calibration.ranking import Ranking
from nas.calibration.run import calibrate
from nas.calibration.scores import regression_name, rung_name
from nas.config.calibration import CalibrateConfig
from sr.command import DONE, Parser, run
from sr.files import write_json
from sr.terminal import Terminal, say

NETWORKS = 24
# What nas.search promotes by: the better of the two, see nas.predictors.surrogate.
DEFAULTS = (rung_name(0), regression_name((rung_name(0),)))
TAU, SHARE, TOP = 0.80, 0.10, 3


def main(argv: list[str] | None = None) -> int:
    """Calibrate, and print each goal with what was measured."""
    config, figures = parse(argv)
    command = shown_command("ranking.py", argv)
    result = calibrate(config, Terminal(), command=command)
    for each in result.rankings:
        say(each.describe())
    default, goals = judged(result.rankings)
    for goal in goals:
        say(f"{'met' if goal['met'] else 'missed'}: {goal['goal']}: {goal['measured']}")
    if figures is not None:
        values = result.to_json()
        (ranked_by,) = (each for each in values["rankings"] if each["name"] == default.name)
        write_json(figures, values | {"default": ranked_by, "goals": goals})
    return DONE


def judged(rankings: Sequence[Ranking]) -> tuple[Ranking, list[dict[str, Any]]]:
    """Return what the search ranks by, and the goals with what was measured."""
    default = max((each for each in rankings if each.name in DEFAULTS), key=lambda each: each.tau or 0.0)
    tau, share, top = default.tau or 0.0, default.cost_share, default.top3_in_first6
    return default, [
        goal(f"tau of the default at least {TAU}", f"{tau:.3f} ({default.name})", met=tau >= TAU),
        goal(f"at no more than {SHARE:.0%} of a full training", f"{share:.1%}", met=share <= SHARE),
        goal(f"the best {TOP} among the first 6", str(top), met=top == TOP),
    ]


def parse(argv: list[str] | None) -> tuple[CalibrateConfig, Path | None]:
    """Return the config of the calibration, and where the figures are to be written; other flags are its own."""
    parser = Parser(
        prog="python benchmarks/ranking.py",
        description="Judge cheap scores by 24 networks trained in full; other flags are those of nas.calibrate.",
        example="python benchmarks/ranking.py --budget-ms 40 --data DIV2K --val DIV2K --steps 2000 --json ranking.json",
    )
    parser.add_shared("out", "json", out="runs/benchmark-ranking")
    args, rest = parser.parse_known_args(argv)
    config, _ = parse_calibration(["--networks", str(NETWORKS), "--out", str(args.out), *rest])
    return config, args.json


def goal(text: str, measured: str, *, met: bool) -> dict[str, Any]:
    """Return one line of the comparison."""
    return {"goal": text, "measured": measured, "met": met}


if __name__ == "__main__":
    sys.exit(run(main))
