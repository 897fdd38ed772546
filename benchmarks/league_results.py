"""What leagues came to, for people: docs/results.md, a plot for each league, and the README's table.

    python benchmarks/league_results.py

All of it is made of the files that benchmarks/league.py --json wrote, and of the words in benchmarks/results/league.md;
tests prove that it is. A table stands in the README between <!-- table of FILE --> and <!-- end of the table -->.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from baselines.league.write_up import written
from sr.command import DONE, Parser, run
from sr.files import write_text
from sr.terminal import say

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
WORDS = RESULTS / "league.md"


def main(argv: Sequence[str] | None = None) -> int:
    """Write all files that are made of leagues."""
    parser = Parser(
        prog="python benchmarks/league_results.py",
        description="Write what leagues came to: docs/results.md, a plot for each, and the table in the README.",
        example="python benchmarks/league_results.py benchmarks/results/league-*.json --out docs",
    )
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", default=sorted(RESULTS.glob("league-*.json")),
                        help="that benchmarks/league.py --json wrote (benchmarks/results/league-*.json)")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR", default=ROOT / "docs", help="for the page and plots (docs)")
    parser.add_argument("--readme", type=Path, metavar="FILE", default=ROOT / "README.md",
                        help="whose tables are made anew (README.md)")  # fmt: skip
    args = parser.parse_args(argv)
    for path, text in written(args.files, WORDS, args.out, args.readme).items():
        write_text(path, text)
        say(str(path))
    return DONE


if __name__ == "__main__":
    sys.exit(run(main))
