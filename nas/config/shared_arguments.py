"""The flags that the commands of this package share, and the config that they make."""

import argparse
from typing import Any

from nas.config.shared import SharedConfig
from search_spaces import SPACES
from sr.command import Parser
from sr.constraints import AUTO, DTYPE_NAMES, ENGINE_NAMES
from sr.errors import InputError
from sr.lr_size import parse_size


def add_shared_arguments(parser: Parser) -> None:
    """Add the flags that say what is searched, within what budget, where, and what candidates are trained on."""
    parser.heading("the budget, and what it is for")
    parser.add_argument(
        "--budget-ms",
        required=True,
        metavar="MS",
        help="milliseconds for one LR picture that nine runs of ten must keep to",
    )
    parser.add_argument("--lr-size", default="256x256", metavar="WxH", help="LR size of the budget (default 256x256)")
    parser.add_argument("--dtype", choices=DTYPE_NAMES, default="float32", help="of the runtime (default float32)")
    parser.add_argument("--engine", choices=(AUTO, *ENGINE_NAMES), default=AUTO,
                        help="what runs the network (default auto: of those installed the one that runs what is "
                        "shipped fastest here)")  # fmt: skip
    parser.add_shared("scale")
    parser.add_argument("--space", choices=sorted(SPACES), default="msrresnet",
                        help="what is searched (default msrresnet)")  # fmt: skip
    parser.heading("pictures and training")
    parser.add_shared("data", "val", "seed")
    parser.add_argument("--batch", type=int, metavar="N", help="patches a step (default 8 on a CPU, 32 on a GPU)")
    parser.add_argument("--patch", type=int, metavar="N", help="side of the LR patches (default 24, on a GPU 48)")
    parser.heading("the device")
    parser.add_shared("device", "execution")
    parser.add_argument("--devices", metavar="cuda:0,cuda:1",
                        help="train on all of these GPUs and measure on the first (default: --device)")  # fmt: skip


def shared_values(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a `SharedConfig` from the parsed flags, for a config that has more.

    Raises:
        InputError: Where the text of a flag is no value of its kind.
    """
    return {
        "budget_ms": _milliseconds(args.budget_ms),
        "lr_size": parse_size(args.lr_size),
        **{name: getattr(args, name) for name in _AS_THEY_ARE},
    }


def shared_config(args: argparse.Namespace) -> SharedConfig:
    """Return the config of the shared flags alone; raises InputError where a value breaks its constraint."""
    return SharedConfig(**shared_values(args))


_AS_THEY_ARE = (
    "space", "scale", "dtype", "engine", "batch", "patch", "data", "val", "device", "devices", "execution", "seed",
)  # fmt: skip


def _milliseconds(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"--budget-ms must be a number of milliseconds over zero, got {text!r}") from error
