"""Command: measure on this space, device and data how well every cheap score ranks networks as full training does."""

import sys
from pathlib import Path

from nas.config.calibration import CalibrateConfig
from nas.config.shared_arguments import add_shared_arguments, shared_values
from sr.command import DONE, Parser, command_line, run
from sr.files import write_json
from sr.terminal import Terminal, say


def main(argv: list[str] | None = None) -> int:
    """Train networks in full, score them cheaply, and say which score to trust."""
    config, figures = parse(argv)
    from nas.calibration.run import calibrate

    result = calibrate(config, Terminal(), command=command_line("nas.calibrate", argv))
    if figures is not None:
        write_json(figures, result.to_json())
    for each in result.rankings:
        say(each.describe())
    for each in result.rankings:
        if each.cost_share and each.is_poor:
            say(f"warning: {each.name} ranks poorly here ({each.describe()})")
    say(f"Look at {result.folder / 'calibration.html'}.")
    return DONE


def parse(argv: list[str] | None) -> tuple[CalibrateConfig, Path | None]:
    """Return the config, and where else the figures are to be written; raises InputError for a bad value."""
    parser = Parser(
        prog="python -m nas.calibrate",
        description="Train networks of a space in full and measure how well cheap scores put them in that order. "
        "Stopped anywhere, the same command goes on.",
        example="python -m nas.calibrate --budget-ms 40 --data DIV2K --networks 24 --steps 20000",
    )
    add_shared_arguments(parser)
    parser.add_argument("--networks", type=int, default=16, metavar="N", help="trained in full (default 16)")
    parser.add_argument("--steps", type=int, default=2000, metavar="N", help="of a full training (default 2000)")
    parser.add_argument(
        "--rungs", type=int, default=3, metavar="N", help="of the ladder, full training too (default 3)"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="trainings at once (default: as many as are fastest)")
    parser.add_shared("out", "json", out="runs/calibration")
    args = parser.parse_args(argv)
    config = CalibrateConfig(
        **shared_values(args), networks=args.networks, steps=args.steps, rungs=args.rungs, workers=args.workers,
        out=args.out,
    )  # fmt: skip
    return config, args.json


if __name__ == "__main__":
    sys.exit(run(main))
