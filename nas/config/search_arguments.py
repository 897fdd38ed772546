"""The flags of python -m nas.search, and the config that they make."""

import math
from pathlib import Path

from nas.config.fidelity import TRAINED_RUNGS
from nas.config.run_file import NO_LIMIT
from nas.config.search import DEFAULT_PATIENCE, NNI_TUNER_NAMES, SAMPLER_NAMES, SearchConfig
from nas.config.shared_arguments import add_shared_arguments, shared_values
from sr.command import Parser, parse_duration

_AS_THEY_ARE = (
    "out", "trials", "trial_steps", "train_steps", "fidelity", "init", "sampler", "nni_tuner", "teacher",
    "distillation", "workers", "cluster", "artifacts", "patience", "study", "storage", "resume", "warm_start",
    "use_seeds", "use_predictions",
)  # fmt: skip


def parse(argv: list[str] | None) -> tuple[SearchConfig, bool, Path | None]:
    """Read the command line.

    Returns:
        The config, whether to say only what the search would cost, and where the figures go as JSON too.

    Raises:
        InputError: Where a value breaks its constraint.
    """
    parser = Parser(
        prog="python -m nas.search",
        description="Find, train and export the super-resolution network with the best PSNR "
        "within a runtime budget, measured on this device.",
        example="python -m nas.search --budget-ms 40 --data DIV2K --time-limit 8h --out runs/forty",
    )
    add_shared_arguments(parser)
    _add_search_arguments(parser)
    parser.heading("what is written")
    parser.add_shared("out", "json", out="runs/search")
    parser.add_argument("--dry-run", action="store_true", help="say what it would cost, and write nothing")
    parser.add_config(("--device", "--devices"))
    args = parser.parse_args(argv)
    limit = None if args.time_limit is None else _seconds(args.time_limit)
    own = {name: getattr(args, name) for name in _AS_THEY_ARE}
    rivals = tuple(name for name in args.rivals.split(",") if name)
    return SearchConfig(**shared_values(args), **own, rivals=rivals, time_limit=limit), args.dry_run, args.json


def _seconds(text: str) -> float:
    """Return a time limit in seconds, infinite for none."""
    return math.inf if text == NO_LIMIT else parse_duration(text)


def _add_search_arguments(parser: Parser) -> None:
    parser.heading("how long")
    parser.add_argument("--time-limit", metavar="TIME",
                        help="90s, 10m, 8h or none (default 10m; none where --trials is given)")  # fmt: skip
    parser.add_argument(
        "--trials", type=int, metavar="N", help="candidates in all (default: as many as the time allows)"
    )
    parser.add_argument("--patience", type=int, default=DEFAULT_PATIENCE, metavar="N",
                        help="candidates without a better front that end the search "
                        f"(default {DEFAULT_PATIENCE})")  # fmt: skip
    parser.add_argument("--trial-steps", type=int, metavar="N",
                        help="steps of a candidate that trains to the end (default by the time)")  # fmt: skip
    parser.add_argument(
        "--train-steps", type=int, metavar="N", help="steps of the chosen network (default by the time)"
    )
    parser.heading("how it searches")
    parser.add_argument("--fidelity", choices=sorted(TRAINED_RUNGS), default="rungs",
                        help="how candidates are judged: by short trainings that the best go on from, by a supernet's "
                        "weights, or by one training each (default rungs)")  # fmt: skip
    parser.add_argument("--init", choices=("scratch", "supernet"),
                        help="what trainings start from (default: the supernet where there is one)")  # fmt: skip
    parser.add_argument("--sampler", choices=sorted(SAMPLER_NAMES), default="mixed",
                        help="what proposes (default mixed)")  # fmt: skip
    parser.add_argument("--nni-tuner", choices=sorted(NNI_TUNER_NAMES), default="TPE",
                        help="of --sampler nni (default TPE)")  # fmt: skip
    parser.add_argument("--no-seeds", dest="use_seeds", action="store_false",
                        help="propose nothing that this project wrote down itself")  # fmt: skip
    parser.add_argument("--no-predictions", dest="use_predictions", action="store_false",
                        help="measure every proposal, whatever is known of the device")  # fmt: skip
    parser.add_argument("--teacher", type=Path, metavar="CKPT", help="a stronger network that all trainings learn from")
    parser.add_argument("--distillation", type=float, metavar="X",
                        help="its share in what is learnt from, 0 to 1 (default 0.5 with a teacher)")  # fmt: skip
    parser.add_argument("--rivals", metavar="A,B", default="",
                        help="hand-designed families whose members within the budget are trained alike afterwards, for "
                        "their PSNR beside the chosen network's; all: every one that can be scaled")  # fmt: skip
    parser.heading("on several processors and machines")
    parser.add_argument("--workers", type=int, metavar="N",
                        help="trainings at once (default: as many as are fastest, where the time allows to "
                        "measure that)")  # fmt: skip
    parser.add_argument("--cluster", metavar="auto|ray://HOST:10001|local",
                        help="train on the nodes of a cluster of Ray's: the one that this machine is a node of, one "
                        "elsewhere, or one of this machine alone (default: without)")  # fmt: skip
    parser.add_argument("--artifacts", metavar="DIR|URL",
                        help="where this search alone keeps weights of candidates: a folder that all nodes see by that "
                        "path, or a bucket such as s3://bucket/forty (default: a folder in --out)")  # fmt: skip
    parser.heading("the record")
    parser.add_argument("--resume", action="store_true", help="go on with a study that is there")
    parser.add_argument("--warm-start", type=Path, metavar="RUN",
                        help="folder of an earlier search of the same conditions, whose trials this one "
                        "begins with")  # fmt: skip
    parser.add_argument("--study", default="search", metavar="NAME", help="name in the storage (default search)")
    parser.add_argument("--storage", metavar="URL", help="database URL or journal path (default: a journal in --out)")
