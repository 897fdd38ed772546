"""Command: write a network of a search as files that other programs run: the chosen one, or any of its candidates."""

import argparse
import sys
from pathlib import Path

from sr.command import Parser, run
from sr.export import add_formats, export, export_config


def main(argv: list[str] | None = None) -> int:
    """Export the network that was picked; returns the exit code."""
    run_folder, pick, args = parse(argv)
    # Not at the top: --help answers without torch.
    from nas.picking import checkpoint_of

    return export(export_config(checkpoint_of(run_folder, pick), args), args.json)


def parse(argv: list[str] | None) -> tuple[Path, str, argparse.Namespace]:
    """Return the folder of the search, which network of it, and the flags that `sr.export.export_config` reads."""
    parser = Parser(
        prog="python -m nas.export",
        description="Write a network that a search found, deployed and in float32, as files for other programs.",
        example="python -m nas.export runs/forty --pick 7 --format onnx,py --out exported",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a search")
    parser.add_argument("--pick", default="chosen", metavar="chosen|N|KEY",
                        help="the network: the chosen one (default), that of a trial's number, or of a key, as in "
                        "trials.csv; candidates are as well trained as they were when they were judged")  # fmt: skip
    add_formats(parser)
    args = parser.parse_args(argv)
    return args.run, args.pick, args


if __name__ == "__main__":
    sys.exit(run(main))
