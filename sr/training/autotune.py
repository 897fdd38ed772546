"""Which precision and memory format a network trains fastest in on a device, and how long a step takes there."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from sr.data.pairs import Pairs
from sr.measure.device_lock import training_on
from sr.measure.gpu import has_bfloat16
from sr.memory import is_out_of_memory
from sr.memory_format import MEMORY_FORMATS
from sr.training.recipe import Recipe
from sr.training.trainer import Trainer, check_teacher

# Readings of each precision and memory format, after the steps that pay for setting up, and the steps in one of them:
# on a GPU the wait for a single one would take as long as the step.
_READINGS, _STEPS = 3, {"cuda": 10}


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
        network: Maps (n, 3, h, w) to (n, 3, s*h, s*w); left as it is.
        recipe: Whose precision or memory format may be `fastest`.
        pairs: What it learns from.
        device: Where it is trained.
        teacher: What a recipe with `distillation` learns from; left as it is.
        clock: The time in seconds.

    Returns:
        The recipe with both of them named.

    Raises:
        ValueError: Where the recipe distils without a teacher or a teacher is given to one that does not.
        torch.OutOfMemoryError: Where no combination has room; one that has none is none to take.
    """
    precisions = [recipe.precision] if recipe.precision != "fastest" else _precisions_for(network, device)
    formats = [recipe.memory_format] if recipe.memory_format != "fastest" else list(MEMORY_FORMATS)
    options = [replace(recipe, precision=p, memory_format=m) for p in precisions for m in formats]
    if len(options) == 1:
        check_teacher(recipe, teacher)
        return options[0]
    with training_on(device):
        if device.type == "cuda":
            # Until its clocks are up, whichever comes first would seem slower than it is.
            _seconds_or_none(network, options[0], pairs, device, teacher, clock)
        timed = [(_seconds_or_none(network, each, pairs, device, teacher, clock), each) for each in options]
    with_room = [(seconds, each) for seconds, each in timed if seconds is not None]
    if not with_room:
        raise torch.OutOfMemoryError(f"out of memory on {device} in each precision and memory format")
    return min(with_room, key=lambda each: each[0])[1]


def available_precisions(device: torch.device) -> list[str]:
    """Return the precisions that `device` trains fast in; float16, which scales the loss, where it has no bfloat16."""
    if device.type == "cuda":
        return ["float32", "bfloat16" if has_bfloat16(device) else "float16"]
    return ["float32"] if device.type == "mps" else ["float32", "bfloat16"]


def _precisions_for(network: nn.Module, device: torch.device) -> list[str]:
    """Return those of the device that suit a network: one that reads its own gradients takes them unscaled."""
    reads = any(getattr(each, "_post_accumulate_grad_hooks", None) for each in network.parameters())
    return [each for each in available_precisions(device) if not (reads and each == "float16")]


def _seconds_or_none(
    network: nn.Module,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    teacher: nn.Module | None,
    clock: Callable[[], float],
) -> float | None:
    """Return as `_fastest_step`; None where the device has no room for it."""
    try:
        return _fastest_step(network, recipe, pairs, device, teacher, clock)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return None


def _fastest_step(
    network: nn.Module,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    teacher: nn.Module | None,
    clock: Callable[[], float],
) -> float:
    """Return the seconds of a step in the fastest of _READINGS; `network` is left as it is.

    The fastest, as other processes only ever add time: what holds one step up must not decide.
    """
    trainer = _settled(network, recipe, pairs, device, teacher)
    steps = _STEPS.get(device.type, 1)
    seconds = []
    for _ in range(_READINGS):
        began = clock()
        _take(trainer, steps)
        seconds.append((clock() - began) / steps)
    return min(seconds)


def _settled(
    network: nn.Module, recipe: Recipe, pairs: Pairs, device: torch.device, teacher: nn.Module | None
) -> Trainer:
    """Return a trainer of a copy of the network that has taken the steps that cost more than the others."""
    trainer = Trainer(copy.deepcopy(network), recipe, pairs, device, teacher=teacher)
    _take(trainer, trainer.settling_steps)
    return trainer


def _take(trainer: Trainer, steps: int) -> None:
    """Take steps and wait for the last one."""
    torch.stack([trainer.step() for _ in range(steps)]).sum().item()


def seconds_per_step(
    network: nn.Module,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    steps: int = 2,
    *,
    teacher: nn.Module | None = None,
) -> float:
    """Return the mean time of a step once they cost the same, holding the device with those who train on it.

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
    with training_on(device):
        trainer = _settled(network, recipe, pairs, device, teacher)
        began = time.perf_counter()
        _take(trainer, steps)
        return (time.perf_counter() - began) / steps
