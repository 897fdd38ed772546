"""Command: write the network of a checkpoint as files that other programs run."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sr.command import DONE, Parser, run
from sr.export_config import DEFAULT_FORMATS, EXPORT_FORMATS, ExportConfig
from sr.files import write_json
from sr.lr_size import parse_size
from sr.terminal import say


def main(argv: list[str] | None = None) -> int:
    """Export a network in every format that is asked for, each checked against PyTorch where it can be run."""
    return export(*parse(argv))


def parse(argv: list[str] | None) -> tuple[ExportConfig, Path | None]:
    """Return the config, and where else the figures are to be written; raises InputError for a bad value."""
    parser = Parser(
        prog="python -m sr.export",
        description="Write the network of a checkpoint, deployed and in float32, as files for other programs.",
        example="python -m sr.export runs/forty/chosen/network.pth --format onnx,py --out exported",
    )
    parser.add_argument("network", type=Path, metavar="CHECKPOINT", help="a .pth of ours")
    add_formats(parser)
    args = parser.parse_args(argv)
    return export_config(args.network, args), args.json


def add_formats(parser: Parser) -> None:
    """Add the flags of what is written, for pictures of which size, and where."""
    parser.add_argument("--format", "--formats", dest="formats", default=",".join(DEFAULT_FORMATS), metavar="LIST",
                        help=f"of {', '.join(EXPORT_FORMATS)} (default {','.join(DEFAULT_FORMATS)}); py is a module "
                        "that needs PyTorch alone, with its weights beside it, openvino an .xml with a .bin, tensorrt "
                        "a .plan for this GPU")  # fmt: skip
    parser.add_argument("--lr-size", default="free", metavar="free|WxH",
                        help="of the pictures that the files take: any (default), or one, which may run a little "
                        "faster")  # fmt: skip
    parser.add_argument("--data-licence", default="", metavar="TEXT",
                        help="of the pictures that it was trained on, for the model card")  # fmt: skip
    parser.add_shared("out", "json", out=str(ExportConfig.out))


def export_config(network: Path, args: argparse.Namespace) -> ExportConfig:
    """Return what those flags ask for; raises InputError where a value breaks its constraint."""
    lr_size = None if args.lr_size == "free" else parse_size(args.lr_size)
    return ExportConfig(network, tuple(args.formats.split(",")), args.out, lr_size, args.data_licence)


def export(config: ExportConfig, json: Path | None, measured: Mapping[str, Any] | None = None) -> int:
    """Write the files, say how near each is to PyTorch, and return the exit code; measured: see `write_beside`."""
    from sr.exporting import export_file
    from sr.model_card import write_beside

    exported = export_file(config)
    beside = write_beside(config, exported, measured)
    for each in exported:
        agrees = f"within {each.difference:.1e} of PyTorch at {each.compared}"
        say(f"{each.path}: {each.size / 1e3:,.0f} kB, {agrees}")
    say(f"beside: {', '.join(map(str, beside))}")
    if json:
        write_json(json, {each.path.name: each.difference for each in exported})
    return DONE


if __name__ == "__main__":
    sys.exit(run(main))
