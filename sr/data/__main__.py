"""Command: fetch DIV2K."""

import sys
from pathlib import Path

from sr.command import DONE, Parser, run
from sr.config import DIV2K_PARTS, DIV2K_URL, FetchConfig
from sr.scale import DEFAULT_SCALE
from sr.terminal import Terminal, say


def main(argv: list[str] | None = None) -> int:
    """Fetch a data set."""
    config = parse(argv)
    from sr.data.div2k import fetch

    fetch(config, report=Terminal())
    scale = "" if config.scale == DEFAULT_SCALE else f" --scale {config.scale}"
    say(f"use it with --data {config.folder} --val {config.folder}{scale}")
    return DONE


def parse(argv: list[str] | None) -> FetchConfig:
    """Read the flags; raises InputError where one breaks its constraint."""
    parser = Parser(
        prog="python -m sr.data",
        description="Fetch DIV2K: 800 pictures to train on and 100 to validate on, with their LR.",
        example="python -m sr.data div2k --to data/DIV2K --parts valid",
    )
    parser.add_argument("dataset", choices=["div2k"], help="the data set to fetch")
    parser.add_argument("--to", type=Path, metavar="DIR", required=True, help="folder to fetch it into")
    parts = ",".join(DIV2K_PARTS)
    parser.add_argument("--parts", default=parts, metavar="LIST", help=f"train, valid or both (default {parts})")
    parser.add_shared("scale")
    parser.add_argument(
        "--url", default=DIV2K_URL, metavar="BASE", help=f"where its archives are (default {DIV2K_URL})"
    )
    parser.add_argument(
        "--checksums", type=Path, metavar="FILE", help="lines of sha256 or md5 and archive name to check against"
    )
    args = parser.parse_args(argv)
    return FetchConfig(args.to, tuple(dict.fromkeys(args.parts.split(","))), args.url, args.checksums, args.scale)


if __name__ == "__main__":
    sys.exit(run(main))
