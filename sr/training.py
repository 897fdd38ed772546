"""Training: a fit that goes on after a kill as if nothing had happened."""

import io
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sr.errors import InputError
from sr.files import write_bytes
from sr.lease import training_on
from sr.output_layer import solve_output
from sr.pairs import Pairs
from sr.progress import Progress
from sr.recipe import Recipe
from sr.settling import settle
from sr.trainer import Trainer, TrainingFailedError, failures


@dataclass(frozen=True)
class Fitted:
    """A trained network in eval mode, and what its training was: recipe as settled, mean loss of the last steps.

    The loss has the teacher's share in it and never the network's own penalty; see Trainer.step.
    """

    network: nn.Module
    recipe: Recipe
    loss: float
    seconds: float


def fit(
    network: nn.Module,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    *,
    teacher: nn.Module | None = None,
    state: Path | None = None,
    label: str = "training",
    quiet: bool = False,
) -> Fitted:
    """Train `network` in place; fastest where the pairs lie on `device`.

    Parameters that require no gradient stay as they are. teacher: what a recipe with `distillation` learns from, left
    as it is. state: where the training writes itself twice a minute and goes on from; on the CPU the result is bit for
    bit that of an uninterrupted run. Raises TrainingFailedError where the loss is not finite or the memory does not
    suffice, ValueError where the recipe distils without a teacher or a teacher is given to one that does not.
    """
    saved = load_state(state, recipe) if state is not None else None
    with failures():
        settled = Recipe(**saved["recipe"]) if saved else settle(network, recipe, pairs, device, teacher=teacher)
        trainer = Trainer(network, settled, pairs, device, teacher=teacher)
        if saved:
            trainer.restore(saved)
        began = time.monotonic()
        loss = run(trainer, state, Progress(label, recipe.steps, start=trainer.steps_done, quiet=quiet))
        network = trainer.trained()
        if settled.solve_output:
            with training_on(device):
                # On patches that no step saw.
                solve_output(network, lambda number: trainer.patches(settled.steps + number), solving_batches(settled))
    return Fitted(network, settled, loss, time.monotonic() - began)


def solving_batches(recipe: Recipe) -> int:
    """Return how many batches the last convolution is solved on at the most: little more than a forward each."""
    return max(2, recipe.steps // 4)


def run(trainer: Trainer, state: Path | None, progress: Progress, save_seconds: float = 30.0) -> float:
    """Take the remaining steps in chunks; between them others may measure, and the training is saved."""
    chunk_steps, loss, saved_at = 20, torch.tensor(math.nan), time.monotonic()
    with progress:
        while (left := trainer.recipe.steps - trainer.steps_done) > 0:
            with training_on(trainer.device):
                count = min(chunk_steps, left)
                loss = torch.stack([trainer.step() for _ in range(count)]).mean()
                if not torch.isfinite(loss):
                    raise TrainingFailedError(f"the loss is {loss.item()} before step {trainer.steps_done}")
            progress.step(count, f"loss {loss.item():.4f}")
            # Not after the last step: going on from there would take no step and know no loss.
            if state is not None and left > count and time.monotonic() - saved_at >= save_seconds:
                save_state(state, trainer)
                saved_at = time.monotonic()
    return float(loss)


def save_state(path: Path, trainer: Trainer) -> None:
    """Write the state of a training, complete or not at all."""
    # Through memory: where the disk is full torch.save itself raises a RuntimeError that does not say so.
    buffer = io.BytesIO()
    torch.save(trainer.state(), buffer)
    write_bytes(path, buffer.getvalue())


def load_state(path: Path, recipe: Recipe) -> dict[str, Any] | None:
    """Return the saved state of a training with this recipe, or None where there is none; else InputError."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        settled = Recipe(**state["recipe"])
    except Exception as error:
        raise InputError(f"{path} is no state of a training; remove it to start anew") from error
    if replace(settled, precision=recipe.precision, memory_format=recipe.memory_format) != recipe:
        raise InputError(f"{path} is the state of a training with another recipe; remove it to start anew")
    return state
