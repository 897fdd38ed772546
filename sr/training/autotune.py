"""Which precision and memory format a network trains fastest in on a device, and how long a step takes there."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from sr.data.pairs import Pairs
from sr.measure.device_lock import training_on
from sr.memory_format import MEMORY_FORMATS
from sr.training.recipe import PRECISIONS, Recipe
from sr.training.trainer import Trainer, check_teacher

# Of each precision and memory format, after a first one that pays for setting up.
_TRIAL_STEPS = 3


def autotune(
    network: nn.Module,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    *,
    teacher: nn.Module | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Recipe:
    """Return the recipe with the precision and the memory format that are fastest on `device`.

    Each combination that the recipe leaves open takes a few steps on a copy of the network.

    Args:
        network: Maps (n, 3, h, w) to (n, 3, 4h, 4w); left as it is.
        recipe: Whose precision or memory format may be `fastest`.
        pairs: What it learns from.
        device: Where it is trained.
        teacher: What a recipe with `distillation` learns from; left as it is.
        clock: The time in seconds.

    Returns:
        The recipe with both of them named.

    Raises:
        ValueError: Where the recipe distils without a teacher or a teacher is given to one that does not.
    """
    precisions = [recipe.precision] if recipe.precision != "fastest" else available_precisions(device)
    formats = [recipe.memory_format] if recipe.memory_format != "fastest" else list(MEMORY_FORMATS)
    options = [replace(recipe, precision=p, memory_format=m) for p in precisions for m in formats]
    if len(options) == 1:
        check_teacher(recipe, teacher)
        return options[0]
    with training_on(device):
        seconds = {option: _fastest_step(network, option, pairs, device, teacher, clock) for option in options}
    return min(options, key=seconds.__getitem__)


def available_precisions(device: torch.device) -> list[str]:
    """Return the precisions in which `device` can train without loss scaling."""
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return ["float32"]
    return list(PRECISIONS)


def _fastest_step(
    network: nn.Module,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    teacher: nn.Module | None,
    clock: Callable[[], float],
) -> float:
    """Return the seconds of the fastest of TRIAL_STEPS after a first one; `network` is left as it is.

    The fastest, as other processes only ever add time: what holds one step up must not decide.
    """
    trainer = Trainer(copy.deepcopy(network), recipe, pairs, device, teacher=teacher)
    trainer.step().item()
    seconds = []
    for _ in range(_TRIAL_STEPS):
        began = clock()
        trainer.step().item()
        seconds.append(clock() - began)
    return min(seconds)


def seconds_per_step(
    network: nn.Module,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    steps: int = 2,
    *,
    teacher: nn.Module | None = None,
) -> float:
    """Return the mean time of a step after a first one.

    Args:
        network: What to train; left as it is.
        recipe: With a precision and a memory format.
        pairs: What it learns from.
        device: Where it is trained.
        steps: Over how many; to plan a long training takes more, with what happens only now and then.
        teacher: What a recipe with `distillation` learns from.

    Raises:
        ValueError: Where the recipe is not autotuned, or teacher and distillation do not go together.
    """
    trainer = Trainer(copy.deepcopy(network), recipe, pairs, device, teacher=teacher)
    trainer.step().item()
    began = time.perf_counter()
    torch.stack([trainer.step() for _ in range(steps)]).sum().item()
    return (time.perf_counter() - began) / steps
