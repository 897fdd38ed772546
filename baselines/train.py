"""Command: train any hand-designed network, from its training form to the deployed one, and save it."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from baselines.answer import Answer
from baselines.config import TrainConfig
from sr.command import DONE, Parser, run
from sr.errors import InputError
from sr.files import write_json
from sr.heartbeat import Heartbeat
from sr.scale import DEFAULT_SCALE, check_scale
from sr.terminal import Terminal, is_redrawn, say


def main(argv: list[str] | None = None) -> int:
    """Train a network stage by stage, judge it, and save the deployed form."""
    config = parse(argv)
    from baselines.training import train

    with Heartbeat(Terminal(), redrawn=is_redrawn()) as report:
        trained = train(config, report=report)
    quality, bicubic = trained.quality, trained.bicubic
    if config.json:
        write_json(
            config.json, {"network": asdict(quality), "bicubic": asdict(bicubic), "recipe": trained.recipe_json()}
        )
    gain = quality.psnr - bicubic.psnr
    say(f"{config.out}: PSNR {quality.psnr:.2f} dB, {gain:+.2f} against bicubic's {bicubic.psnr:.2f}; "
        f"on Y {quality.psnr_y:.2f} against {bicubic.psnr_y:.2f} ({quality.pictures} validation pictures)")  # fmt: skip
    return DONE


def parse(argv: list[str] | None) -> TrainConfig:
    """Read the command line; raises InputError where a value breaks its constraint."""
    parser = Parser(
        prog="python -m baselines.train",
        description="Train a hand-designed network by its paper's recipe, scaled to --steps.",
        example="python -m baselines.train hcsrn --num-feat 32 --steps 5000 --data DIV2K --out hcsrn.pth",
    )
    parser.add_argument("name", metavar="NAME", help="one of those that --list names")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="the checkpoint to write (default NAME.pth, or NAME_x2.pth at --scale 2)",
    )
    parser.add_shared("scale")
    parser.add_argument("--steps", type=int, default=10_000, metavar="N", help="of all stages together (default 10000)")
    parser.add_argument("--num-feat", type=int, metavar="N", help="width of the network (default: the published one)")
    parser.add_argument("--config", action="append", default=[], metavar="KEY=VALUE",
                        help="another value of the network's config, as JSON; may be repeated")  # fmt: skip
    parser.add_argument("--batch", type=int, metavar="N", help="patches a step, in every stage")
    parser.add_argument("--patch", type=int, metavar="N", help="side of the LR patches, in every stage")
    parser.add_argument("--learning-rate", type=float, metavar="X", help="in every stage")
    parser.add_argument("--resume", action="store_true", help="go on with a training that was interrupted")
    parser.add_argument("--list", action=Answer, nargs=0, const=_say_names,
                        help="list the names and stop; behind --scale N those that have it")  # fmt: skip
    parser.add_shared("data", "val", "device", "seed", "json")
    args = parser.parse_args(argv)
    network = _network_config(args.config)
    return TrainConfig(
        name=args.name,
        out=args.out or Path(f"{args.name}{_suffix(args.scale)}.pth"),
        config=network if args.num_feat is None else network | {"num_feat": args.num_feat},
        steps=args.steps,
        batch=args.batch,
        patch=args.patch,
        learning_rate=args.learning_rate,
        data=args.data,
        val=args.val,
        device=args.device,
        seed=args.seed,
        resume=args.resume,
        json=args.json,
        scale=args.scale,
    )


def _suffix(scale: int) -> str:
    """Return what the names of results end in, where the scale is not the default."""
    return "" if scale == DEFAULT_SCALE else f"_x{scale}"


def _network_config(texts: Sequence[str]) -> dict[str, Any]:
    """Return the values of KEY=VALUE by key; raises InputError where a text is none or its value is no JSON."""
    config: dict[str, Any] = {}
    for text in texts:
        key, _, value = text.partition("=")
        try:
            config[key] = json.loads(value)
        except json.JSONDecodeError as error:
            raise InputError(f"--config is KEY=VALUE with a JSON value, such as num_block=4, got {text!r}") from error
    return config


def _say_names(flags: argparse.Namespace) -> None:
    from baselines import BASELINES

    check_scale(flags.scale)
    say("\n".join(name for name, entry in BASELINES.items() if flags.scale in entry.scales))


if __name__ == "__main__":
    sys.exit(run(main))
