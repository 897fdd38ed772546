"""What the commands of the search share: flags, pictures, and the setup of all candidates."""

import argparse
import math

from nas.evaluate import Setup
from search_spaces import SPACES
from search_spaces.msrresnet import REFERENCE_NETWORK
from sr.command import Parser, device, say
from sr.data import load_pairs
from sr.deployment import DTYPES
from sr.errors import InputError
from sr.lr_size import parse_size
from sr.pairs import Pairs, on_device, same_pictures
from sr.recipe import Recipe

# Short trainings are judged on the centres of a few pictures: enough to rank, in a fraction of the time.
CROP_SIDE, CROPS = 96, 20
# Batch and LR patch: in the minutes that a CPU search has, many small steps go further than few large ones.
SMALL_STEPS, LARGE_STEPS = (8, 24), (32, 48)


def add_flags(parser: Parser) -> None:
    """Add the flags that say what is searched, within what budget, and how candidates are trained."""
    parser.add_argument(
        "--budget-ms",
        required=True,
        metavar="MS",
        help="milliseconds for one LR picture that nine runs of ten must keep to",
    )
    parser.add_argument("--space", choices=sorted(SPACES), default="msrresnet", help="default msrresnet")
    parser.add_argument("--lr-size", default="256x256", metavar="WxH", help="LR size of the budget (default 256x256)")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="float32", help="of the runtime (default float32)")
    parser.add_argument("--batch", type=int, metavar="N", help="patches a step (default 8 on a CPU, 32 on a GPU)")
    parser.add_argument("--patch", type=int, metavar="N", help="side of the LR patches (default 24, on a GPU 48)")


def check_flags(args: argparse.Namespace, *counts: str) -> None:
    """Turn the texts of `add_flags` into values, with the device's defaults; those `counts` must be at least 1.

    Raises InputError where a value breaks its law.
    """
    args.device = device(str(args.device))
    batch, patch = SMALL_STEPS if args.device.type == "cpu" else LARGE_STEPS
    args.batch = batch if args.batch is None else args.batch
    args.patch = patch if args.patch is None else args.patch
    args.budget_ms = positive_number(args.budget_ms)
    args.lr_size = parse_size(args.lr_size)
    for name in ("batch", "patch", *counts):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1, got {value}")


def positive_number(text: str) -> float:
    """Return the budget; raises InputError where it is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"--budget-ms must be a number of milliseconds over zero, got {text!r}")
    return value


def load_data(args: argparse.Namespace) -> tuple[Pairs, Pairs]:
    """Load training and validation pictures; raises InputError where they share one."""

    def report(line: str) -> None:
        say(line, to_stderr=True)

    train = load_pairs(args.data, "train", minimum_lr_side=args.patch, report=report)
    is_div2k = args.data is not None and (args.data / "DIV2K_valid_HR").is_dir()
    val = load_pairs(args.val or (args.data if is_div2k else None), "val", minimum_lr_side=16, report=report)
    if shared := same_pictures(train, val):
        raise InputError(
            f"training and validation must not share a picture, but both hold {', '.join(shared[:3])}; "
            f"give --val a folder of its own"
        )
    return train, val


def make_setup(args: argparse.Namespace, steps: int, train: Pairs, val: Pairs) -> Setup:
    """Put together what all candidates share; steps: of the training of one."""
    recipe = Recipe(steps=steps, batch=args.batch, patch=args.patch, seed=args.seed, solve_output=True)
    return Setup(
        budget_ms=args.budget_ms,
        device=args.device,
        lr_size=args.lr_size,
        dtype=args.dtype,
        recipe=recipe,
        train=on_device(train, args.device),
        val=val.centre_crops(CROP_SIDE, CROPS).to(args.device),
        reference=REFERENCE_NETWORK,
    )
