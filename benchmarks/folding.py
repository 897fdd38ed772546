"""Training speed of a deep network whose wide convolutions fold together, beside the same that fold one by one.

    python benchmarks/folding.py --data PHOTOS --json folding.json

Both train the same network on the same patches, so many steps in turns. The goal is 1.3 times the steps a second. It
exits with 0 whether it is met or not: this is a measurement, not a test.
"""

import statistics
import sys
import time
from dataclasses import asdict

import torch
from machine_paths import shown_command

from nas.evaluation_setup import SMALL_STEPS
from search_spaces.msrresnet import repeated
from search_spaces.network import SearchedNetwork, untrained
from sr.checkpoint import provenance
from sr.command import DONE, Parser, run
from sr.data.pairs import on_device
from sr.data.sources import load_pairs
from sr.errors import InputError
from sr.files import write_json
from sr.measure.device_lock import training_on
from sr.measure.target import Target, parse_device
from sr.terminal import Terminal, say
from sr.training.autotune import autotune
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer

GOAL = 1.3
ARCHITECTURE = repeated(16, "symmetric_residual", 23, image_skip="learned")
# Not counted: a GPU captures its graph in the first of them.
WARM_UP_STEPS = 10


class OneByOne(SearchedNetwork):
    """The network whose convolutions each fold for themselves."""

    def _wide_convs(self) -> list[object]:  # type: ignore[override]
        return []


def main(argv: list[str] | None = None) -> int:
    """Train both in turns and print how much faster the one is."""
    parser = Parser(
        prog="python benchmarks/folding.py",
        description="Compare the training speed of a network that folds its convolutions together and one by one.",
        example="python benchmarks/folding.py --data PHOTOS --json folding.json",
    )
    parser.add_shared("data", "device", "json")
    parser.add_argument("--steps", type=int, default=50, metavar="N", help="of a turn (default 50)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each (default 5)")
    args = parser.parse_args(argv)
    for name in ("steps", "rounds"):
        if getattr(args, name) < 1:
            raise InputError(f"--{name} must be at least 1, got {getattr(args, name)}")
    device, (batch, patch) = parse_device(args.device), SMALL_STEPS
    pairs = on_device(load_pairs(args.data, "train", minimum_lr_side=patch, report=Terminal()), device)
    recipe = Recipe(steps=args.steps * args.rounds + WARM_UP_STEPS, batch=batch, patch=patch, precision="float32")
    recipe = autotune(untrained(ARCHITECTURE), recipe, pairs, device)
    together, one_by_one = untrained(ARCHITECTURE), OneByOne(ARCHITECTURE)
    one_by_one.load_state_dict(together.state_dict())
    trainers = [Trainer(network, recipe, pairs, device) for network in (together, one_by_one)]
    for trainer in trainers:
        steps_per_second(trainer, WARM_UP_STEPS)
    turns = [[steps_per_second(trainer, args.steps) for trainer in trainers] for _ in range(args.rounds)]
    ratios = [fast / slow for fast, slow in turns]
    ratio = statistics.median(ratios)
    for fast, slow in turns:
        say(f"{fast:.1f} steps a second together, {slow:.1f} one by one: {fast / slow:.2f} times")
    say(f"{ratio:.2f} times the steps a second ({min(ratios):.2f} to {max(ratios):.2f}); the goal is {GOAL:g} times")
    if args.json is not None:
        place = Target(device, (patch, patch)).conditions
        write_json(args.json, {
            "ratio": ratio, "goal": GOAL, "met": ratio >= GOAL, "turns": turns, "recipe": asdict(recipe),
            "architecture": ARCHITECTURE.to_json(), "conditions": asdict(place), "date": provenance()["date"],
            "command": shown_command("folding.py", argv),
        })  # fmt: skip
    return DONE


def steps_per_second(trainer: Trainer, steps: int) -> float:
    """Take so many steps and return how many there were a second."""
    with training_on(trainer.device):
        began = time.perf_counter()
        for _ in range(steps):
            loss = trainer.step()
        # Waits for a GPU.
        assert torch.isfinite(loss)
        return steps / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(run(main))
