"""Command: write a network of a search as files that other programs run: the chosen one, or any of its candidates."""

import argparse
import sys
from pathlib import Path

from sr.command import Parser, run
from sr.export import add_formats, export, export_config


def main(argv: list[str] | None = None) -> int:
    """Export the network that was picked; returns the exit code."""
    args = parse(argv)
    # Not at the top: --help answers without torch.
    from nas.picking import checkpoint_of, figures_of

    network = checkpoint_of(args.run, args.pick)
    return export(export_config(network, args), args.json, figures_of(args.run, args.pick, args.storage))


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return which network of which search is wanted, and the flags that `sr.export.export_config` reads."""
    parser = Parser(
        prog="python -m nas.export",
        description="Write a network that a search found, deployed and in float32, as files for other programs.",
        example="python -m nas.export runs/forty --pick 7 --format onnx,py --out exported",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a search")
    parser.add_argument("--pick", default="chosen", metavar="chosen|N|KEY",
                        help="the network: the chosen one (default), that of a trial's number, or of a key, as in "
                        "trials.csv; candidates are as well trained as they were when they were judged")  # fmt: skip
    parser.add_argument("--storage", metavar="URL", help="database of the search's study, for the figures of a "
                        "candidate (default: the journal in RUN)")  # fmt: skip
    add_formats(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run(main))
