"""The flags of python -m prune.run, and the laws of their values."""

import argparse
import math
import shlex
import sys
from pathlib import Path

from prune.costs import METRICS, Metric
from prune.report import OURS
from prune.selection import MODES
from sr.command import Parser, device
from sr.deployment import DTYPES
from sr.errors import InputError
from sr.lr_size import parse_size

ARMS = (OURS, "group", "magnitude")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; raises InputError where a value breaks its law."""
    parser = Parser(
        prog="python -m prune.run",
        description="Prune the channels of every convolution by gates, until the network is as fast as asked.",
        example="python -m prune.run hcsrn.pth --target runtime --ratio 0.45 --data DIV2K --val DIV2K",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CKPT", help="a network; python -m baselines.train makes one")
    parser.add_argument("--target", default="runtime", metavar="METRICS",
                        help=f"what to bring down, of {', '.join(METRICS)} (default runtime)")  # fmt: skip
    parser.add_argument(
        "--ratio", metavar="X", help="to this share of the dense network's, one per target (default 0.5)"
    )
    parser.add_argument("--budget", metavar="N", help="or to this many, one per target; runtime in milliseconds")
    parser.add_argument("--budget-ms", type=float, metavar="MS", help="short for --target runtime --budget MS")
    parser.add_argument("--psnr-floor", type=float, metavar="DB",
                        help="or as far as the PSNR on --val stays above this before fine-tuning")  # fmt: skip
    parser.add_argument("--mode", default="nested", metavar="MODES",
                        help=f"how kept channels lie, of {', '.join(MODES)} (default nested)")  # fmt: skip
    parser.add_argument("--arms", default=",".join(ARMS), metavar="ARMS",
                        help=f"ways to prune that are compared (default {','.join(ARMS)})")  # fmt: skip
    parser.add_argument("--subpixels", action="store_true", help="gate the channels before a pixel shuffle one by one")
    parser.add_argument("--rounds", type=int, default=8, metavar="N", help="of a tick and a tock (default 8)")
    parser.add_argument("--tick-steps", type=int, default=30, metavar="N", help="to score the gates (default 30)")
    parser.add_argument("--tock-steps", type=int, default=100, metavar="N", help="to train what is left (default 100)")
    parser.add_argument("--fine-tune-steps", type=int, default=2000, metavar="N",
                        help="of every network at the end, the dense one too (default 2000)")  # fmt: skip
    parser.add_argument("--distillation", type=float, default=0.0, metavar="X",
                        help="share of the dense network in what is learnt from, 0 to 1 (default 0)")  # fmt: skip
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="patches a step (default 8)")
    parser.add_argument("--patch", type=int, default=32, metavar="N", help="side of the LR patches (default 32)")
    parser.add_argument("--learning-rate", type=float, default=1e-3, metavar="X", help="at its highest (default 0.001)")
    parser.add_argument("--lr-size", default="256x256", metavar="WxH", help="LR size that runtimes are for")
    parser.add_argument("--dtype", default="float32", metavar="DTYPE", help=f"one of {', '.join(DTYPES)}")
    parser.add_argument("--resume", action="store_true", help="go on with what lies in --out")
    parser.add_shared("out", "data", "val", "device", "seed", "json", out="runs/pruned")
    args = parser.parse_args(argv)
    args.command = shlex.join(["python", "-m", "prune.run", *(sys.argv[1:] if argv is None else argv)])
    args.device = device(str(args.device))
    args.lr_size = parse_size(args.lr_size)
    check_choices(args)
    check_numbers(args)
    return args


def check_choices(args: argparse.Namespace) -> None:
    """Split what comes in lists and raise InputError for a name that is none."""
    if args.budget_ms is not None:
        if args.budget is not None or args.target != "runtime":
            raise InputError("--budget-ms stands for --target runtime --budget MS; give one of the two")
        args.budget = str(args.budget_ms)
    known = {"target": tuple(METRICS), "mode": MODES, "arms": ARMS, "dtype": tuple(DTYPES)}
    for name, allowed in known.items():
        given = getattr(args, name).split(",")
        if any(value not in allowed for value in given):
            raise InputError(f"--{name} is of {', '.join(allowed)}; got {getattr(args, name)!r}")
        if name != "dtype":
            setattr(args, name, list(dict.fromkeys(given)))


def check_numbers(args: argparse.Namespace) -> None:
    """Read the limits and raise InputError for a number outside its law."""
    if (args.ratio is not None) + (args.budget is not None) + (args.psnr_floor is not None) > 1:
        raise InputError("--ratio, --budget and --psnr-floor exclude each other; give one")
    if args.psnr_floor is not None and not math.isfinite(args.psnr_floor):
        raise InputError(f"--psnr-floor must be a number of dB, got {args.psnr_floor}")
    args.limits = limits_of(args)
    for name in ("rounds", "tick_steps", "tock_steps", "batch", "patch", "learning_rate"):
        if not 0 < getattr(args, name) < math.inf:
            raise InputError(f"--{name.replace('_', '-')} must be over 0, got {getattr(args, name)}")
    if args.fine_tune_steps < 0:
        raise InputError(f"--fine-tune-steps must be at least 0, got {args.fine_tune_steps}")
    if not 0 <= args.distillation <= 1:
        raise InputError(f"--distillation must be within 0 and 1, got {args.distillation}")


def limits_of(args: argparse.Namespace) -> dict[Metric, tuple[str, float]]:
    """Return per target whether a share or an amount is given, and how much."""
    kind = "budget" if args.budget is not None else "ratio"
    text = args.budget if args.budget is not None else args.ratio if args.ratio is not None else "0.5"
    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError as error:
        raise InputError(f"--{kind} must be numbers between commas, got {text!r}") from error
    if len(numbers) == 1:
        numbers *= len(args.target)
    most = 1.0 if kind == "ratio" else math.inf
    if len(numbers) != len(args.target) or not all(0 < number < most for number in numbers):
        law = "over 0 and under 1" if kind == "ratio" else "over 0"
        raise InputError(f"--{kind} takes one number per target, {law}; got {text!r} for {', '.join(args.target)}")
    return {metric: (kind, number) for metric, number in zip(args.target, numbers, strict=True)}
