"""A training of a baseline by the stages of its paper, which goes on after an interruption."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import nn

from baselines.config import TrainConfig
from baselines.registry import BASELINES, build, build_family
from baselines.stages import Stage
from sr.checkpoint import Checkpoint, Description, load, save
from sr.data.pairs import Pairs, fitting_patch, on_device
from sr.data.sources import load_pairs, load_set
from sr.deployment import deploy
from sr.errors import InputError
from sr.measure.quality import Quality, bicubic_quality, evaluate
from sr.measure.target import parse_device
from sr.progress import Message, Report, no_report
from sr.scale import DEFAULT_SCALE
from sr.training.fit import fit
from sr.training.recipe import Recipe
from sr.training.trainer import TrainingFailedError

# Pictures with a smaller LR side are left out.
_SMALLEST_SIDE, _SMALLEST_VALIDATION_SIDE = 32, 16
# No paper has so many.
_MOST_STAGES = 16


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    Attributes:
        quality: Of the deployed network, on the validation pictures.
        bicubic: Of bicubic interpolation on the same pictures.
        recipes: How each stage was trained.
    """

    quality: Quality
    bicubic: Quality
    recipes: tuple[Recipe, ...]

    def recipe_json(self) -> dict[str, Any]:
        """Return the recipes as a checkpoint holds them."""
        return {"stages": [asdict(recipe) for recipe in self.recipes]}


def train(config: TrainConfig, report: Report = no_report) -> Trained:
    """Train a network stage by stage, judge it, and save the deployed form.

    From its beginning on a training is kept in FILE.partial beside the checkpoint to be, as its last finished stage
    left it, and within a stage in FILE.stageN.state; both go when the checkpoint is written.

    Args:
        config: What is trained, how, on what, and where it is written.
        report: Is told of every stage and of its steps.

    Returns:
        How good the deployed network is, and how each stage was trained.

    Raises:
        InputError: Where the network has no such config, a file is already there, there is or is no interrupted
            training as asked, or the loss does not stay finite.
    """
    device = parse_device(config.device)
    if config.out.exists():
        raise InputError(f"{config.out} is already there; name another --out, or remove it")
    # Refuses a wrong name or config before anything is read.
    build(config.name, **config.network)
    files = _Files(config.out)
    files.check(resume=config.resume)
    train_set = load_set(config.data, "train", scale=config.scale, minimum_lr_side=_SMALLEST_SIDE, report=report)
    pairs = on_device(train_set.pairs, device)
    val = load_pairs(config.val, "val", scale=config.scale, minimum_lr_side=_SMALLEST_VALIDATION_SIDE, report=report)
    stages = BASELINES[config.name].recipe
    asked = [stage.recipe(config.steps, config.overrides) for stage in stages]
    # Papers cut their patches from 2K pictures.
    sides = {patch: fitting_patch(pairs, patch, report) for patch in dict.fromkeys(each.patch for each in asked)}
    recipes = [replace(each, patch=sides[each.patch]) for each in asked]
    pictures = train_set.manifest.identity
    through = _through_stages(config, recipes, pairs, pictures, device, files, report)
    network = deployed_form(config.name, config.network, through)
    trained = Trained(evaluate(network.to(device), val, device), bicubic_quality(val, device), tuple(recipes))
    description = Description("baseline", {"name": config.name, **config.network})
    save(config.out, Checkpoint(description, network.cpu().state_dict(), deployed=True, recipe=trained.recipe_json()))
    files.remove()
    return trained


def deployed_form(name: str, config: Mapping[str, Any], trained: nn.Module) -> nn.Module:
    """Return the network to ship: what is only trained (branches, early exits) folded or left out."""
    network = deploy(build(name, **config))
    tensors = deploy(trained.cpu()).state_dict()
    network.load_state_dict({key: tensors[key] for key in network.state_dict()})
    return network


@dataclass(frozen=True)
class _Files:
    """Where a training is kept, beside the checkpoint to be."""

    out: Path

    @property
    def partial(self) -> Path:
        """What was begun, as its last finished stage left it."""
        return self.out.with_name(self.out.name + ".partial")

    def check(self, *, resume: bool) -> None:
        """Raise InputError where there is an interrupted training and it is not to go on, or the other way round."""
        if resume and not self.partial.exists():
            raise InputError(f"there is no interrupted training beside {self.out}; leave --resume out to start one")
        if not resume and self.partial.exists():
            raise InputError(
                f"{self.out} has an interrupted training beside it; go on with --resume, or remove {self.partial}"
            )

    def state(self, stage: int) -> Path:
        """Return the state within a stage: a file of its own, which no other stage can take for its."""
        return self.out.with_name(f"{self.out.name}.stage{stage + 1}.state")

    def remove(self) -> None:
        """Remove what a finished training does not need, the states first: without them it goes on all the same."""
        for stage in range(_MOST_STAGES):
            self.state(stage).unlink(missing_ok=True)
        self.partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Training:
    """A training between two stages: the network, the config that describes it now, whether it is deployed already."""

    network: nn.Module
    config: Mapping[str, Any]
    folded: bool = False
    stages_done: int = 0


class _Growing(Protocol):
    """A network of kernels under dilution, with as many bases as its config says."""

    def grow(self, count: int) -> None:
        """Add `count` bases to every kernel."""
        ...


def _through_stages(
    config: TrainConfig,
    recipes: Sequence[Recipe],
    pairs: Pairs,
    pictures: Mapping[str, Any],
    device: torch.device,
    files: _Files,
    report: Report,
) -> nn.Module:
    """Train the stages that are left, each by its recipe, and return the network in its last form.

    pictures: what only the same pictures share.
    """
    entry = BASELINES[config.name]
    form = {"name": config.name, **config.network, **entry.training_form}
    asked = {**form, "recipes": [asdict(recipe) for recipe in recipes], "pictures": pictures}
    torch.manual_seed(config.seed)
    training = _resumed(files, asked) if config.resume else _begun(files, form, asked)
    for index in range(training.stages_done, len(recipes)):
        training = _entering(entry.recipe[index], training)
        report(Message(f"stage {index + 1} of {len(recipes)}: {recipes[index].steps:,} steps"))
        label = f"{config.name}, stage {index + 1}"
        try:
            fit(training.network, recipes[index], pairs, device, state=files.state(index), label=label, report=report)
        except TrainingFailedError as error:
            raise InputError(f"the training failed: {error}; try a smaller --learning-rate or --batch") from error
        training = replace(training, stages_done=index + 1)
        _keep(training, files, asked)
        files.state(index).unlink(missing_ok=True)
    return training.network


def _begun(files: _Files, form: Mapping[str, Any], asked: Mapping[str, Any]) -> _Training:
    """Return a training before its first stage."""
    for stage in range(_MOST_STAGES):
        # Of a training whose FILE.partial somebody removed to start anew.
        files.state(stage).unlink(missing_ok=True)
    training = _Training(build_family(form), form)
    _keep(training, files, asked)
    return training


def _resumed(files: _Files, asked: Mapping[str, Any]) -> _Training:
    """Return the training as its last finished stage left it; raises InputError where it is another one."""
    kept = load(files.partial)
    # The scale is said where it is not the default.
    was, now = ({"scale": DEFAULT_SCALE, **each} for each in (kept.recipe.get("asked", {}), asked))
    if changed := [name for name in {**was, **now} if was.get(name) != now.get(name)]:
        name = changed[0]
        raise InputError(
            f"{files.partial} was begun otherwise: its {name} was {was.get(name)} and is now {now.get(name)}; "
            f"give the same flags, or remove it"
        )
    return _Training(kept.build(), kept.description.config, kept.deployed, int(kept.recipe["stages_done"]))


def _entering(stage: Stage, training: _Training) -> _Training:
    """Do to the network what the stage begins with."""
    if stage.begin == "fold":
        return replace(training, network=deploy(training.network), folded=True)
    if stage.begin == "grow":
        cast("_Growing", training.network).grow(1)
        return replace(training, config={**training.config, "bases": training.config["bases"] + 1})
    return training


def _keep(training: _Training, files: _Files, asked: Mapping[str, Any]) -> None:
    """Write the network as a finished stage leaves it."""
    description = Description("baseline", training.config)
    recipe = {"stages_done": training.stages_done, "asked": asked}
    save(files.partial, Checkpoint(description, training.network.state_dict(), training.folded, recipe))
