"""Training: a fit that goes on after a kill as if nothing had happened."""

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map_only

from sr.data.pairs import Pairs
from sr.errors import InputError
from sr.files import StrPath
from sr.measure.device_lock import training_on
from sr.progress import Progress, Report, no_report
from sr.tensors import read_tensors, write_tensors
from sr.training.autotune import autotune
from sr.training.closed_form_output import solve_output
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer, TrainingFailedError, failures


@dataclass(frozen=True)
class Fitted:
    """A trained network, and what its training was.

    Attributes:
        network: In eval mode.
        recipe: As autotuned.
        loss: The mean over the last steps: with the teacher's share and never with the network's own penalty; see
            Trainer.step.
        seconds: How long the steps took.
        execution: How they were launched on a CUDA device: in a graph, or `eager`ly one kernel after the other.
    """

    network: nn.Module
    recipe: Recipe
    loss: float
    seconds: float
    execution: str = ""


def fit(
    network: nn.Module,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    *,
    teacher: nn.Module | None = None,
    state: StrPath | None = None,
    label: str = "training",
    report: Report = no_report,
) -> Fitted:
    """Train `network` in place; fastest where the pairs lie on `device`.

    Args:
        network: Maps (n, 3, h, w) to (n, 3, s*h, s*w). Parameters that require no gradient stay as they are.
        recipe: How it is trained; what it leaves open is tuned on the device.
        pairs: What it learns from.
        device: Where it is trained.
        teacher: What a recipe with `distillation` learns from; left as it is.
        state: Where the training writes itself twice a minute and goes on from; on the CPU the result is bit for bit
            that of an uninterrupted run.
        label: What the steps are reported as.
        report: Is told of every 20 steps.

    Returns:
        The trained network, in eval mode, and what its training was.

    Raises:
        TrainingFailedError: Where the loss is not finite or the memory does not suffice.
        ValueError: Where the recipe distils without a teacher or a teacher is given to one that does not.
        InputError: Where `state` is of another training.
    """
    saved = load_state(state, recipe) if state is not None else None
    with failures():
        tuned = Recipe(**saved["recipe"]) if saved else autotune(network, recipe, pairs, device, teacher=teacher)
        with training_on(device):
            trainer = Trainer(network, tuned, pairs, device, teacher=teacher)
            if saved:
                trainer.restore(saved)
        began = time.monotonic()
        loss = run(trainer, state, Progress(label, recipe.steps, start=trainer.steps_done, report=report))
        network = trainer.trained()
        if tuned.solve_output:
            _solve(network, trainer)
    return Fitted(network, tuned, loss, time.monotonic() - began, trainer.execution)


def solve_last(network: nn.Module, recipe: Recipe, pairs: Pairs, device: torch.device) -> bool:
    """Solve for the last convolution of a trained network, in place, such as of one whose branches were folded.

    Args:
        network: On `device`, in eval mode.
        recipe: That it was trained by, autotuned.
        pairs: What it learnt from.
        device: Where it runs.

    Returns:
        Whether the network was changed.

    Raises:
        ValueError: Where its last convolution is not one to solve for; see `solve_output`.
    """
    with training_on(device):
        trainer = Trainer(network, replace(recipe, distillation=0.0), pairs, device)
    # A trainer puts it into training mode, in which norms would follow the patches.
    network.eval()
    return _solve(network, trainer)


def _solve(network: nn.Module, trainer: Trainer) -> bool:
    """Solve on patches that no step saw, on so many batches at the most: little more than a forward each."""
    steps = trainer.recipe.steps
    with training_on(trainer.device):
        return solve_output(network, lambda number: trainer.patches(steps + number), max(2, steps // 4))


def run(trainer: Trainer, state: StrPath | None, progress: Progress, save_seconds: float = 30.0) -> float:
    """Take the remaining steps in chunks; between them others may measure, and the training is saved.

    Args:
        trainer: What takes the steps.
        state: Where the training is saved; None for nowhere.
        progress: Is told of every chunk.
        save_seconds: How long at least between two savings.

    Returns:
        The mean loss of the last chunk.

    Raises:
        TrainingFailedError: Where the loss is not finite.
    """
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


def save_state(path: StrPath, trainer: Trainer) -> None:
    """Write the state of a training, complete or not at all."""
    write_tensors(path, state_on_cpu(trainer.state(), trainer.device))


def state_on_cpu(state: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Return a state with its tensors brought from `device` to the CPU: copying and checking them there is work.

    Beside somebody's measurement it would be a disturbance, so that it waits for its turn.
    """
    if device.type == "cpu":
        return state
    with training_on(device):
        copied: dict[str, Any] = tree_map_only(torch.Tensor, torch.Tensor.cpu, state)
        return copied


def load_state(path: StrPath, recipe: Recipe) -> dict[str, Any] | None:
    """Read the state of a training.

    Args:
        path: The file.
        recipe: That of the training.

    Returns:
        The state; None where there is no file.

    Raises:
        InputError: Where it is none, or of a training with another recipe.
    """
    if not Path(path).exists():
        return None
    try:
        state: dict[str, Any] = read_tensors(path)
        autotuned = Recipe(**state["recipe"])
    except Exception as error:
        raise InputError(f"{path} is no state of a training; remove it to start anew") from error
    if replace(autotuned, precision=recipe.precision, memory_format=recipe.memory_format) != recipe:
        raise InputError(f"{path} is the state of a training with another recipe; remove it to start anew")
    return state
