"""What a training starts from and ends with: the PSNR after equally many steps, four ways.

    python benchmarks/training_start.py --data DIV2K --val DIV2K --steps 500 --json training-start.json

Trains the first seeds of the default space from ESRGAN's start (a tenth of Kaiming's weights in every convolution) and
from ours (`search_spaces.network.untrained`), each with and without solving for the last convolution
(`sr.training.closed_form_output`). It exits with 0 whatever comes out: this is a measurement, not a test.
"""

import statistics
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from machine_paths import shown_command
from torch import nn

from nas.config.shared import SharedConfig
from nas.config.shared_arguments import add_shared_arguments, shared_values
from nas.evaluate import Setup
from nas.evaluation_setup import load_pictures, make_setup
from search_spaces.architecture import Architecture
from search_spaces.network import build, untrained
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.constraints import at_least
from sr.files import write_json
from sr.measure.quality import bicubic_quality, evaluate
from sr.terminal import Terminal, say
from sr.training.autotune import autotune
from sr.training.fit import fit

TENTH = 0.1
STARTS = ("ESRGAN's start", "our start")


@dataclass(frozen=True, kw_only=True)
class Config(SharedConfig):
    """What is trained: the first `networks` seeds of the space, for so many steps each."""

    networks: int
    steps: int

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, self, "networks", "steps")


def main(argv: list[str] | None = None) -> int:
    """Train every network four ways and print what each way came to."""
    config, figures = parse(argv)
    setup = make_setup(config, config.steps, *load_pictures(config, Terminal()))
    setup = replace(
        setup, recipe=autotune(build(setup.trainable_reference), setup.recipe, setup.train, setup.target.device)
    )
    rows = [trained(architecture, setup) for architecture in config.search_space.seeds[: config.networks]]
    means = {method: statistics.mean(row["psnr"][method] for row in rows) for method in rows[0]["psnr"]}
    bicubic = bicubic_quality(setup.val, with_ssim=False).psnr
    for method, psnr in means.items():
        say(f"{method}: {psnr:.3f} dB in the mean, bicubic {bicubic:.3f}")
    if figures is not None:
        place = setup.target.conditions
        write_json(figures, {
            "psnr": means, "bicubic": bicubic, "networks": rows, "recipe": asdict(setup.recipe),
            "pictures": [len(setup.train), *setup.val.names], "device": place.device, "threads": place.threads,
            "versions": place.versions, "date": provenance()["date"],
            "command": shown_command("training_start.py", argv),
        })  # fmt: skip
    return DONE


def parse(argv: list[str] | None) -> tuple[Config, Path | None]:
    """Return the config, and where the figures are to be written; raises InputError for a bad value."""
    parser = Parser(
        prog="python benchmarks/training_start.py",
        description="Train networks from two starts, with and without solving for the last convolution.",
        example="python benchmarks/training_start.py --budget-ms 40 --data DIV2K --val DIV2K --steps 500",
    )
    add_shared_arguments(parser)
    parser.add_argument("--networks", type=int, default=6, metavar="N", help="seeds of the space (default 6)")
    parser.add_argument("--steps", type=int, default=500, metavar="N", help="of each training (default 500)")
    parser.add_shared("json")
    args = parser.parse_args(argv)
    return Config(**shared_values(args), networks=args.networks, steps=args.steps), args.json


def trained(architecture: Architecture, setup: Setup) -> dict[str, Any]:
    """Train a network from both starts, and solve for its last convolution or not."""
    psnr = {}
    for start in STARTS:
        for solve in (False, True):
            torch.manual_seed(setup.recipe.seed)
            network = untrained(architecture) if start == STARTS[1] else as_esrgan(build(architecture))
            recipe = replace(setup.recipe, solve_output=solve)
            fitted = fit(network, recipe, setup.train, setup.target.device)
            method = f"{start}, {'solved' if solve else 'not solved'}"
            psnr[method] = evaluate(fitted.network, setup.val, setup.target.device, with_ssim=False).psnr
    say(f"{architecture.summary}: {', '.join(f'{each:.3f}' for each in psnr.values())} dB")
    return {"architecture": architecture.to_json(), "psnr": psnr}


def as_esrgan(network: nn.Module) -> nn.Module:
    """Return a network with a tenth of Kaiming's weights in every convolution."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            with torch.no_grad():
                module.weight.mul_(TENTH)
    return network


if __name__ == "__main__":
    sys.exit(run(main))
