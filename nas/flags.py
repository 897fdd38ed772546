"""The flags of python -m nas.search, and the laws of their values."""

import argparse
import math
import sys
from pathlib import Path

from nas.course import TRAINED_RUNGS
from nas.nni_engine import TUNERS, require_nni
from nas.preparation import add_flags, check_flags
from nas.proposers import ENGINES
from nas.schedule import DEFAULT_SECONDS, parse_duration
from nas.stagnation import PATIENCE
from sr.checkpoint import load_network
from sr.command import Parser
from sr.errors import InputError

DEFAULT_QUALITY = "rungs"


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; raises InputError where a value breaks its law."""
    parser = Parser(
        prog="python -m nas.search",
        description="Find, train and export the x4 super-resolution network with the best PSNR "
        "within a runtime budget, measured on this device.",
        example="python -m nas.search --budget-ms 40 --data DIV2K --time-limit 8h --out runs/forty",
    )
    add_flags(parser)
    parser.add_argument(
        "--trials", type=int, metavar="N", help="candidates in all (default: as many as the time allows)"
    )
    parser.add_argument("--time-limit", metavar="TIME", help="90s, 10m, 8h (default 10m; none where --trials is given)")
    parser.add_argument("--trial-steps", type=int, metavar="N",
                        help="steps of a candidate that climbs all rungs (default by the time)")  # fmt: skip
    parser.add_argument(
        "--train-steps", type=int, metavar="N", help="steps of the chosen network (default by the time)"
    )
    parser.add_argument("--quality", choices=sorted(TRAINED_RUNGS), default=DEFAULT_QUALITY,
                        help="how candidates are judged: by short trainings that the best go on from, by a supernet's "
                        f"weights, or by one training each (default {DEFAULT_QUALITY})")  # fmt: skip
    parser.add_argument("--init", choices=("scratch", "supernet"),
                        help="what trainings start from (default: the supernet where there is one)")  # fmt: skip
    parser.add_argument("--engine", choices=sorted(ENGINES), default="mixed", help="what proposes (default mixed)")
    parser.add_argument("--nni-tuner", choices=sorted(TUNERS), default="TPE", help="of --engine nni (default TPE)")
    parser.add_argument("--teacher", type=Path, metavar="CKPT", help="a stronger network that all trainings learn from")
    parser.add_argument("--distillation", type=float, metavar="X",
                        help="its share in what is learnt from, 0 to 1 (default 0.5 with a teacher)")  # fmt: skip
    parser.add_argument("--crew", type=int, metavar="N",
                        help="trainings at once (default: as many as are fastest, where the time allows to "
                        "measure that)")  # fmt: skip
    parser.add_argument("--patience", type=int, default=PATIENCE, metavar="N",
                        help=f"candidates without a better front that end the search (default {PATIENCE})")  # fmt: skip
    parser.add_argument("--study", default="search", metavar="NAME", help="name in the storage (default search)")
    parser.add_argument("--storage", metavar="URL", help="database URL or journal path (default: a journal in --out)")
    parser.add_argument("--resume", action="store_true", help="go on with a study that is there")
    parser.add_argument("--dry-run", action="store_true", help="say what it would cost, and write nothing")
    parser.add_shared("out", "data", "val", "device", "seed", "json", out="runs/search")
    args = parser.parse_args(argv)
    args.given = sys.argv[1:] if argv is None else argv
    check_flags(args, "trials", "trial_steps", "train_steps", "crew", "patience")
    check_teacher(args)
    if args.engine == "nni":
        require_nni()
    args.init = args.init or ("supernet" if args.quality == "supernet" else "scratch")
    return args


def check_teacher(args: argparse.Namespace) -> None:
    """Give the distillation its default; raises InputError where it and the teacher disagree, or the latter is none."""
    if args.distillation is None:
        args.distillation = 0.0 if args.teacher is None else 0.5
    if not 0 <= args.distillation <= 1:
        raise InputError(f"--distillation must be within 0 and 1, got {args.distillation}")
    if (args.distillation > 0) != (args.teacher is not None):
        raise InputError("--distillation over 0 and --teacher CKPT go together; give both or neither")
    if args.teacher is not None:
        load_network(args.teacher)


def time_limit(args: argparse.Namespace) -> float:
    """Return the seconds that the whole command may take."""
    if args.time_limit is not None:
        return parse_duration(args.time_limit)
    return DEFAULT_SECONDS if args.trials is None else math.inf
