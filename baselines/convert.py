"""Command: official weights of a baseline in, a checkpoint of ours out."""

import argparse
import sys
from pathlib import Path

from baselines.answer import Answer
from baselines.config import ConvertConfig
from sr.command import DONE, Parser, run
from sr.scale import SCALES
from sr.terminal import Terminal, say


def main(argv: list[str] | None = None) -> int:
    """Convert one file."""
    config = parse(argv)
    from baselines.official_weights import convert_file

    converted = convert_file(config, Terminal())
    say(f"{config.name}: {len(converted.tensors)} tensors written to {config.out}")
    return DONE


def parse(argv: list[str] | None) -> ConvertConfig:
    """Read the command line."""
    parser = Parser(
        prog="python -m baselines.convert",
        description="Convert the official weights of a baseline into a checkpoint.",
        example="python -m baselines.convert rfdn RFDN_AIM.pth --out rfdn.pth",
    )
    parser.add_argument("name", metavar="NAME", help="one of those that --list names")
    parser.add_argument("weights", type=Path, metavar="official.pth",
                        help="the authors' file, or one that their code wrote in training: torch.save's or "
                        "safetensors, however wrapped")  # fmt: skip
    parser.add_argument("--scale", type=int, metavar="|".join(map(str, SCALES)),
                        help="how many times they enlarge (default: as their shapes tell)")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", required=True, help="the checkpoint to write")
    parser.add_argument("--list", action=Answer, nargs=0, const=_say_names, help="list the names and stop")
    args = parser.parse_args(argv)
    return ConvertConfig(args.name, args.weights, args.out, args.scale)


def _say_names(_: argparse.Namespace) -> None:
    from baselines.weights.layouts import known_names

    say("\n".join(known_names()))


if __name__ == "__main__":
    sys.exit(run(main))
