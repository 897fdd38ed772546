"""Trainings from one rung of a ladder to the next, that go on after a kill and are never done twice."""

from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

from nas.successive_halving import Ladder
from search_spaces.architecture import Architecture
from search_spaces.network import untrained
from sr.checkpoint import Checkpoint, Description, load, load_network, one_line, save
from sr.data.pairs import Pairs
from sr.errors import InputError
from sr.measure.device_lock import training_on
from sr.progress import Report, no_report
from sr.training.fit import Fitted, fit, state_on_cpu
from sr.training.recipe import Recipe

# Between the seeds of two rungs, so that no rung sees the patches of another; a prime, far from a user's 0, 1, 2.
_SEED_STRIDE = 1_000_003
# What a training finds out about the device: it may differ between two runs of one recipe.
_AUTOTUNED = ("precision", "memory_format")


def train_to_rung(
    architecture: Architecture,
    rung: int,
    ladder: Ladder,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    folder: Path,
    initial: nn.Module | None = None,
    *,
    teacher: nn.Module | None = None,
    label: str = "training",
    report: Report = no_report,
) -> Fitted:
    """Train a candidate by one rung, from the weights in `folder` that the rung before left, and leave its own there.

    A killed rung goes on; a finished one is read, not trained again; a missing one below is trained again, its seconds
    included.

    Args:
        architecture: The candidate.
        rung: The number of the rung, counted from 0.
        ladder: How many steps each rung has; see `rung_recipe`.
        recipe: That of a full training.
        pairs: What it is trained on.
        device: Where it is trained.
        folder: Where the weights lie. No two trainings of one folder and architecture may run at a time.
        initial: Where the first rung starts, left as it is; else weights are drawn from the recipe's seed.
        teacher: The network to distil from, where the recipe distils.
        label: What its steps are reported as.
        report: Is told of the steps.

    Returns:
        The trained network and how it was trained.

    Raises:
        InputError: Where `folder` holds weights of another recipe or ladder.
        TrainingFailedError: As `fit` does.
    """
    path, seconds = weights_path(folder, architecture.key), 0.0
    found = _finished(path, ladder, recipe)
    done = -1 if found is None or _rung_of(found) > rung else _rung_of(found)
    for index in range(done + 1, rung + 1):
        state = folder / f"{architecture.key}.rung{index}.state"
        network = load_network(path) if index else initial_network(architecture, recipe, initial)
        autotuned = {} if found is None else {name: found.recipe[name] for name in _AUTOTUNED}
        own = replace(rung_recipe(recipe, ladder, index), **autotuned)
        fitted = fit(network, own, pairs, device, teacher=teacher, state=state, label=label, report=report)
        seconds += fitted.seconds
        found = _as_checkpoint(architecture, fitted, ladder.steps[: index + 1], seconds, device)
        save(path, found)
        state.unlink(missing_ok=True)
    assert found is not None
    with training_on(device):
        network = load_network(path).to(device)
    return Fitted(network, Recipe(**found.recipe), found.provenance["loss"], found.provenance["seconds"])


def rung_recipe(recipe: Recipe, ladder: Ladder, rung: int) -> Recipe:
    """Return how a rung trains: the steps that it adds, annealed by a cosine of its own, on patches of its own.

    The warm-up takes at most a fifth of the steps.
    """
    steps = ladder.more_steps(rung)
    return replace(
        recipe,
        steps=steps,
        schedule="cosine",
        warmup_steps=min(recipe.warmup_steps, steps // 5),
        seed=recipe.seed + _SEED_STRIDE * rung,
    )


def initial_network(architecture: Architecture, recipe: Recipe, initial: nn.Module | None) -> nn.Module:
    """Return the network that a training starts from: drawn from the recipe's seed, or with the weights of `initial`.

    Raises:
        InputError: Where the initial weights are not those of the architecture.
    """
    torch.manual_seed(recipe.seed)
    network = untrained(architecture)
    if initial is not None:
        try:
            network.load_state_dict(initial.state_dict())
        except RuntimeError as error:
            raise InputError(
                f"the initial weights are not those of {architecture.summary}: {one_line(error)}"
            ) from error
    return network


def weights_path(folder: Path, key: str) -> Path:
    """Return where the weights of a candidate lie, those of the last rung that it finished."""
    return folder / f"{key}.pth"


def remove_weights(folder: Path, keys: Collection[str]) -> None:
    """Remove the weights of candidates; one that is promoted all the same trains its rungs again."""
    for key in keys:
        for path in (weights_path(folder, key), *folder.glob(f"{key}.rung*.state")):
            path.unlink(missing_ok=True)


def _finished(path: Path, ladder: Ladder, recipe: Recipe) -> Checkpoint | None:
    """Return what the last finished rung left at `path`, or None; InputError where that is of something else."""
    if not path.exists():
        return None
    checkpoint = load(path)
    steps = checkpoint.provenance.get("ladder")
    if not isinstance(steps, list) or not steps or tuple(steps) != ladder.steps[: len(steps)]:
        raise InputError(f"{path} is of another ladder, {steps} steps; remove it to start anew")
    own = rung_recipe(recipe, ladder, _rung_of(checkpoint))
    theirs = dict(checkpoint.recipe) | {name: getattr(own, name) for name in _AUTOTUNED}
    if theirs != asdict(own):
        raise InputError(f"{path} was trained by another recipe; remove it to start anew")
    return checkpoint


def _rung_of(checkpoint: Checkpoint) -> int:
    """Return the number of the rung that left a checkpoint."""
    return len(checkpoint.provenance["ladder"]) - 1


def _as_checkpoint(
    architecture: Architecture, fitted: Fitted, steps: tuple[int, ...], seconds: float, device: torch.device
) -> Checkpoint:
    """Describe what a rung leaves: its weights, and the steps trained in all after each rung up to it."""
    return Checkpoint(
        Description("searched", architecture.to_json()),
        state_on_cpu(fitted.network.state_dict(), device),
        recipe=asdict(fitted.recipe),
        provenance={"ladder": list(steps), "loss": fitted.loss, "seconds": seconds},
    )
