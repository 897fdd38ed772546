"""The flags of python -m prune.run, read into what a pruning takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prune.config import CHANNEL_ORDERS, METHODS, METRICS, PruneConfig
from prune.run_file import NO_LIMIT
from sr.command import Parser, parse_duration
from sr.constraints import DTYPE_NAMES, ENGINE_NAMES
from sr.errors import InputError
from sr.lr_size import parse_size


@dataclass(frozen=True)
class Asked:
    """What a command line asks for: the network, how it is pruned, and where the figures go beside the folder.

    With `dry_run` it asks only what that would take.
    """

    checkpoint: Path
    config: PruneConfig
    json: Path | None
    dry_run: bool = False


def parse(argv: Sequence[str] | None) -> Asked:
    """Read the command line; raises InputError where a value breaks its constraint."""
    args = _parser().parse_args(argv)
    budget = _numbers("budget", args.budget)
    if args.budget_ms is not None:
        if budget is not None or args.target != "runtime":
            raise InputError("--budget-ms stands for --target runtime --budget MS; give one of the two")
        budget = (args.budget_ms,)
    shared = (
        "psnr_floor", "subpixels", "rounds", "tick_steps", "tock_steps", "fine_tune_steps", "distillation", "batch",
        "patch", "learning_rate", "dtype", "engine", "data", "val", "out", "device", "execution", "seed",
        "resume",
    )  # fmt: skip
    config = PruneConfig(
        targets=_words(args.target), ratio=_numbers("ratio", args.ratio), budget=budget,
        time_limit=None if args.time_limit == NO_LIMIT else parse_duration(args.time_limit),
        channel_orders=_words(args.channel_order), methods=_words(args.methods), lr_size=parse_size(args.lr_size),
        **{name: getattr(args, name) for name in shared},
    )  # fmt: skip
    return Asked(args.checkpoint, config, args.json, args.dry_run)


def _parser() -> Parser:
    """Return the parser; defaults are those of `PruneConfig`."""
    parser = Parser(
        prog="python -m prune.run",
        description="Prune the channels of every convolution by gates, until the network is as fast as asked.",
        example="python -m prune.run hcsrn.pth --target runtime --ratio 0.45 --data DIV2K --val DIV2K",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CKPT", help="a network; python -m baselines.train makes one")
    parser.heading("how far")
    parser.add_argument("--target", default="runtime", metavar="METRICS",
                        help=f"what to bring down, of {', '.join(METRICS)} (default runtime)")  # fmt: skip
    parser.add_argument(
        "--ratio", metavar="X", help="to this share of the dense network's, one per target (default 0.5)"
    )
    parser.add_argument("--budget", metavar="N", help="or to this many, one per target; runtime in milliseconds")
    parser.add_argument("--budget-ms", type=float, metavar="MS", help="short for --target runtime --budget MS")
    parser.add_argument("--psnr-floor", type=float, metavar="DB",
                        help="or as far as the PSNR on --val stays above this before fine-tuning")  # fmt: skip
    parser.heading("how it prunes")
    parser.add_argument("--channel-order", default="shared", metavar="ORDERS",
                        help=f"how kept channels lie, of {', '.join(CHANNEL_ORDERS)} (default shared)")  # fmt: skip
    parser.add_argument("--methods", default=",".join(METHODS), metavar="METHODS",
                        help=f"methods that are compared (default {','.join(METHODS)})")  # fmt: skip
    parser.add_argument("--subpixels", action="store_true", help="gate the channels before a pixel shuffle one by one")
    parser.heading("how long")
    parser.add_argument("--time-limit", default="15m", metavar="TIME",
                        help="90s, 15m, 8h or none: plans what is left out of the next four (default 15m)")  # fmt: skip
    parser.add_argument("--rounds", type=int, metavar="N", help="of a tick and a tock (default by the time)")
    parser.add_argument("--tick-steps", type=int, metavar="N", help="to score the gates (default by the time)")
    parser.add_argument("--tock-steps", type=int, metavar="N", help="to train what is left (default by the time)")
    parser.add_argument("--fine-tune-steps", type=int, metavar="N",
                        help="of every network at the end, the dense one too (default by the time)")  # fmt: skip
    parser.heading("pictures and training")
    parser.add_shared("data", "val", "seed")
    parser.add_argument("--distillation", type=float, default=0.0, metavar="X",
                        help="share of the dense network in what is learnt from, 0 to 1 (default 0)")  # fmt: skip
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="patches a step (default 8)")
    parser.add_argument("--patch", type=int, default=32, metavar="N", help="side of the LR patches (default 32)")
    parser.add_argument("--learning-rate", type=float, default=1e-3, metavar="X", help="at its highest (default 0.001)")
    parser.heading("the device, and what runtimes are of")
    parser.add_shared("device", "execution")
    parser.add_argument("--lr-size", default="256x256", metavar="WxH", help="LR size that runtimes are for")
    parser.add_argument(
        "--dtype", default="float32", metavar="DTYPE", help=f"{', '.join(DTYPE_NAMES)} (default float32)"
    )
    parser.add_argument("--engine", default="auto", choices=("auto", *ENGINE_NAMES),
                        help="what runs networks (default auto: the fastest that is installed)")  # fmt: skip
    parser.heading("what is written")
    parser.add_shared("out", "json", out="runs/pruned")
    parser.add_argument("--resume", action="store_true", help="go on with what lies in --out")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and how long it takes, and end")
    parser.add_config(("--ratio", "--budget", "--budget-ms", "--psnr-floor"))
    return parser


def _words(text: str) -> Any:  # noqa: ANN401 - which words there may be PruneConfig checks
    """Return the words between commas, each once."""
    return tuple(dict.fromkeys(text.split(",")))


def _numbers(name: str, text: str | None) -> tuple[float, ...] | None:
    """Return the numbers between commas; raises InputError where they are none."""
    if text is None:
        return None
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise InputError(f"--{name} must be numbers between commas, got {text!r}") from error
