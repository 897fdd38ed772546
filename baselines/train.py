"""Command: train any hand-designed network, from its training form to the deployed one, and save it."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

import baselines
from baselines.recipes import TRAINING_FORMS, Stage, stages_of
from search_spaces.reparam import DilutedConv
from sr.checkpoint import Checkpoint, Description, load, save
from sr.command import DONE, Parser, device, run, say
from sr.data import load_pairs
from sr.deployment import deploy
from sr.errors import InputError
from sr.files import write_json
from sr.pairs import Pairs, on_device
from sr.quality import bicubic_quality, evaluate
from sr.recipe import Recipe
from sr.trainer import TrainingFailedError
from sr.training import fit

# Training pictures with a smaller LR side are left out.
SMALLEST_SIDE = 32


def main(argv: list[str] | None = None) -> int:
    """Train a network stage by stage, judge it, and save the deployed form."""
    args = parse(argv)
    config = config_of(args)
    stages = stages_of(args.name)
    recipes = [stage.recipe(args.steps, overrides_of(args)) for stage in stages]

    def report(line: str) -> None:
        say(line, to_stderr=True)

    train = on_device(load_pairs(args.data, "train", minimum_lr_side=SMALLEST_SIDE, report=report), args.device)
    recipes = [limited(recipe, train) for recipe in recipes]
    val = load_pairs(args.val, "val", minimum_lr_side=16, report=report)
    torch.manual_seed(args.seed)
    progress = Unfinished(args.out, args.name, config, resume=args.resume)
    for index in range(progress.stages_done, len(stages)):
        progress.begin(stages[index])
        say(f"stage {index + 1} of {len(stages)}: {recipes[index].steps:,} steps")
        try:
            label = f"{args.name}, stage {index + 1}"
            fit(progress.network, recipes[index], train, args.device, state=progress.state, label=label)
        except TrainingFailedError as error:
            raise InputError(f"the training failed: {error}; try a smaller --learning-rate or --batch") from error
        progress.end()
    finish(args, config, progress, [asdict(recipe) for recipe in recipes], val)
    return DONE


def limited(recipe: Recipe, train: Pairs) -> Recipe:
    """Return the recipe with a patch that every training picture can give: papers cut theirs from 2K pictures."""
    return replace(recipe, patch=min(recipe.patch, train.smallest_side()))


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; raises InputError where a value breaks its law."""
    parser = Parser(
        prog="python -m baselines.train",
        description="Train a hand-designed network by its paper's recipe, scaled to --steps.",
        example="python -m baselines.train hcsrn --num-feat 32 --steps 5000 --data DIV2K --out hcsrn.pth",
    )
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(baselines.BASELINES)}")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the checkpoint to write (default NAME.pth)")
    parser.add_argument("--steps", type=int, default=10_000, metavar="N", help="of all stages together (default 10000)")
    parser.add_argument("--num-feat", type=int, metavar="N", help="width of the network (default: the published one)")
    parser.add_argument("--config", action="append", default=[], metavar="KEY=VALUE",
                        help="another value of the network's config, as JSON; may be repeated")  # fmt: skip
    parser.add_argument("--batch", type=int, metavar="N", help="patches a step, in every stage")
    parser.add_argument("--patch", type=int, metavar="N", help="side of the LR patches, in every stage")
    parser.add_argument("--learning-rate", type=float, metavar="X", help="in every stage")
    parser.add_argument("--resume", action="store_true", help="go on with a training that was interrupted")
    parser.add_shared("data", "val", "device", "seed", "json")
    args = parser.parse_args(argv)
    for name in ("steps", "batch", "patch", "learning_rate"):
        value = getattr(args, name)
        if value is not None and not value > 0:
            raise InputError(f"--{name.replace('_', '-')} must be over 0, got {value}")
    args.out = args.out or Path(f"{args.name}.pth")
    args.device = device(str(args.device))
    if args.out.exists():
        raise InputError(f"{args.out} is already there; name another --out, or remove it")
    return args


def config_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the network's config as the flags say; raises InputError where the network has no such value."""
    config: dict[str, Any] = {}
    for text in args.config:
        key, _, value = text.partition("=")
        try:
            config[key] = json.loads(value)
        except json.JSONDecodeError as error:
            raise InputError(f"--config is KEY=VALUE with a JSON value, such as num_block=4, got {text!r}") from error
    if args.num_feat is not None:
        config["num_feat"] = args.num_feat
    baselines.build(args.name, **config)
    return config


def overrides_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of every stage's recipe that the flags replace."""
    given = {name: getattr(args, name) for name in ("batch", "patch", "learning_rate")}
    return {name: value for name, value in given.items() if value is not None} | {"seed": args.seed}


class Unfinished:
    """A training between its stages, kept beside the checkpoint to be: FILE.partial, and FILE.state within a stage."""

    def __init__(self, out: Path, name: str, config: Mapping[str, Any], *, resume: bool) -> None:
        self.partial, self.state = out.with_name(out.name + ".partial"), out.with_name(out.name + ".state")
        there = self.partial.exists() or self.state.exists()
        if there and not resume:
            raise InputError(
                f"{out} has an interrupted training beside it; go on with --resume, or remove {self.state}"
            )
        if resume and not there:
            raise InputError(f"there is no interrupted training beside {out}; leave --resume out to start one")
        self.asked = {"name": name, **config, **TRAINING_FORMS.get(name, {})}
        self.config, self.stages_done, self.folded = dict(self.asked), 0, False
        if self.partial.exists():
            self.take_up(load(self.partial))
        else:
            self.network = baselines.build_family(self.config)

    def take_up(self, kept: Checkpoint) -> None:
        """Go on from the network that the last finished stage left; raises InputError where it is another one."""
        if kept.recipe.get("asked") != self.asked:
            raise InputError(f"{self.partial} is of {kept.recipe.get('asked')}; give the same flags, or remove it")
        self.network = kept.build()
        self.config, self.folded = dict(kept.description.config), kept.deployed
        self.stages_done = int(kept.recipe["stages_done"])

    def begin(self, stage: Stage) -> None:
        """Do to the network what the stage begins with."""
        if stage.begin == "fold":
            self.network, self.folded = deploy(self.network), True
        elif stage.begin == "grow":
            self.config["bases"] += 1
            for module in self.network.modules():
                if isinstance(module, DilutedConv):
                    module.grow(1)

    def end(self) -> None:
        """Keep the network as the finished stage leaves it."""
        self.stages_done += 1
        description = Description("baseline", self.config)
        recipe = {"stages_done": self.stages_done, "asked": self.asked}
        save(self.partial, Checkpoint(description, self.network.state_dict(), self.folded, recipe))
        self.state.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget the training once its result is written."""
        self.partial.unlink(missing_ok=True)


def finish(
    args: argparse.Namespace,
    config: Mapping[str, Any],
    progress: Unfinished,
    recipes: list[dict[str, Any]],
    val: Pairs,
) -> None:
    """Judge the deployed network, save it, and say how good it is."""
    network = deployed_form(args.name, config, progress.network)
    quality, bicubic = evaluate(network.to(args.device), val, args.device), bicubic_quality(val, args.device)
    description = Description("baseline", {"name": args.name, **config})
    recipe = {"stages": recipes}
    save(args.out, Checkpoint(description, network.cpu().state_dict(), deployed=True, recipe=recipe))
    progress.remove()
    if args.json:
        write_json(args.json, {"network": asdict(quality), "bicubic": asdict(bicubic), "recipe": recipe})
    gain = quality.psnr - bicubic.psnr
    say(f"{args.out}: PSNR {quality.psnr:.2f} dB, {gain:+.2f} against bicubic's {bicubic.psnr:.2f}; "
        f"on Y {quality.psnr_y:.2f} against {bicubic.psnr_y:.2f} ({quality.pictures} validation pictures)")  # fmt: skip


def deployed_form(name: str, config: Mapping[str, Any], trained: nn.Module) -> nn.Module:
    """Return the network to ship: what is only trained (branches, early exits) folded or left out."""
    network = deploy(baselines.build(name, **config))
    tensors = deploy(trained.cpu()).state_dict()
    network.load_state_dict({key: tensors[key] for key in network.state_dict()})
    return network


if __name__ == "__main__":
    sys.exit(run(main))
