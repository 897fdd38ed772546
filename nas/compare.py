"""Command: searches, the engines that ran their networks and the devices, on one page."""

import sys
from pathlib import Path

from nas.config.compare import CompareConfig
from sr.command import DONE, Parser, run
from sr.terminal import say


def main(argv: list[str] | None = None) -> int:
    """Write the page and say what stands on it; returns the exit code."""
    config = parse(argv)
    # Not at the top: --help answers without torch.
    from nas.report.comparison import comparison_lines, comparison_page
    from nas.report.run import load_run
    from sr.files import write_text

    runs = [load_run(folder) for folder in config.folders]
    write_text(config.out, comparison_page(runs))
    for line in comparison_lines(runs):
        say(line)
    say(f"Look at {config.out}.")
    return DONE


def parse(argv: list[str] | None) -> CompareConfig:
    """Read the flags; raises InputError where one breaks its constraint."""
    parser = Parser(
        prog="python -m nas.compare",
        description="Put finished searches on one plot: each network in every engine that it was measured in. What was "
        "measured under other conditions is drawn apart and named.",
        example="python -m nas.compare runs/forty runs/int8 --out comparison.html",
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="the folders of searches, two or more")
    parser.add_argument("--out", type=Path, metavar="FILE", default=Path("comparison.html"),
                        help="the page (default comparison.html)")  # fmt: skip
    return CompareConfig(**vars(parser.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(run(main))
