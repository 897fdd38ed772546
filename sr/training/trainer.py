"""A network in training on a device, one step at a time."""

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sr.data.pairs import Pairs
from sr.errors import InputError
from sr.memory_format import MEMORY_FORMATS, lay_out
from sr.seeds import generator
from sr.training.losses import LOSSES
from sr.training.recipe import OPTIMISERS, PRECISIONS, Recipe


class TrainingFailedError(Exception):
    """A training that cannot go on, with the reason: a loss that is not finite, or no memory left."""


class Trainer:
    """A network, its optimiser and its average on a device; `step` is a pure function of them and the step's number.

    Patches are drawn from the recipe's seed and the step's number: a resumed run sees what an uninterrupted one sees.

    Args:
        network: Maps (n, 3, h, w) to (n, 3, 4h, 4w); moved to the device and trained in place.
        recipe: With a precision and a memory format.
        pairs: What it learns from.
        device: Where it is trained.
        teacher: The network to distil from, where the recipe distils; it is copied and no part of the state, so a
            resumed run is given it again.

    Raises:
        ValueError: Where the recipe is not autotuned, or teacher and distillation do not go together.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        pairs: Pairs,
        device: torch.device,
        *,
        teacher: nn.Module | None = None,
    ) -> None:
        if "fastest" in (recipe.precision, recipe.memory_format):
            raise ValueError("a trainer needs a recipe whose precision and memory format are autotuned; see autotune()")
        check_teacher(recipe, teacher)
        self.recipe, self.pairs, self.device = recipe, pairs, device
        self.network = network.to(device).train()
        lay_out(self.network, recipe.memory_format)
        self.teacher = None if teacher is None else _frozen(teacher, recipe, device)
        optimiser = OPTIMISERS[recipe.optimiser]
        self.optimiser = optimiser(
            self.network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        average = averaging(recipe.ema_decay)
        self.average = AveragedModel(network, multi_avg_fn=average, use_buffers=True) if recipe.ema_decay else None
        self.steps_done = 0

    def step(self) -> Tensor:
        """Take one step and return its loss, a scalar on the device, unchecked: a check would wait for the device.

        A network that has a `penalty` (a method that returns a scalar) trains on the loss plus that; what is returned
        is without it, so that it compares with the loss of other networks.
        """
        recipe = self.recipe
        lr, hr = self.patches(self.steps_done)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.learning_rate_at(self.steps_done)
        loss = self.loss(lr, hr)
        penalty = getattr(self.network, "penalty", None)
        self.optimiser.zero_grad(set_to_none=True)
        (loss if penalty is None else loss + penalty()).backward()
        if recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip_norm)
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        self.steps_done += 1
        return loss.detach()

    def patches(self, number: int) -> tuple[Tensor, Tensor]:
        """Return LR (b, 3, p, p) in the recipe's memory format and HR (b, 3, 4p, 4p), the same for the same number."""
        recipe = self.recipe
        drawn = self.pairs.patches(recipe.batch, recipe.patch, generator(recipe.seed, number))
        lr, hr = (patches.to(self.device, non_blocking=True) for patches in drawn)
        return lr.contiguous(memory_format=MEMORY_FORMATS[recipe.memory_format]), hr

    def loss(self, lr: Tensor, hr: Tensor) -> Tensor:
        """Return the recipe's loss, a scalar: the mean over the exits, each of which learns from the teacher's output.

        Args:
            lr: (n, 3, h, w) in [0, 1], in the recipe's memory format.
            hr: (n, 3, 4h, 4w) in [0, 1].
        """
        recipe = self.recipe
        autocast = torch.autocast(
            self.device.type, PRECISIONS[recipe.precision], enabled=recipe.precision != "float32", cache_enabled=True
        )
        with autocast:
            outputs = [sr.float() for sr in _exits_of(self.network, lr)]
        loss = torch.stack([LOSSES[recipe.loss](sr, hr) for sr in outputs]).mean()
        if self.teacher is None:
            return loss
        with torch.no_grad(), autocast:
            target = self.teacher(lr).float()
        distance = torch.stack([LOSSES["l1"](sr, target) for sr in outputs]).mean()
        return (1 - recipe.distillation) * loss + recipe.distillation * distance

    def trained(self) -> nn.Module:
        """Return the network to use: the average where there is one, in eval mode."""
        network = self.network if self.average is None else self.average.module
        return network.eval()

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on, as tensors and plain values."""
        return {
            "recipe": asdict(self.recipe),
            "steps_done": self.steps_done,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state.

        Raises:
            InputError: Where it is of another network.
        """
        try:
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            self.steps_done = state["steps_done"]
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            raise InputError("the training state is of another network; remove it to start anew") from error


def _exits_of(network: nn.Module, lr: Tensor) -> list[Tensor]:
    """Return what the loss is the mean over: all exits of a network that has several (`exits`), else its output."""
    exits = getattr(network, "exits", None)
    return exits(lr) if exits is not None else [network(lr)]


def averaging(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """Return how an average follows a network: floating tensors by the decay, others (counts, indices) at once."""
    follow = get_ema_multi_avg_fn(decay)

    def update(averages: Sequence[Tensor], currents: Sequence[Tensor], count: Tensor | int) -> None:
        if averages[0].is_floating_point():
            follow(averages, currents, count)
            return
        # torch's own would truncate 0.9 * 3 + 0.1 * 3 to 2, and an index would point elsewhere.
        for average, current in zip(averages, currents, strict=True):
            average.copy_(current)

    return update


def _frozen(teacher: nn.Module, recipe: Recipe, device: torch.device) -> nn.Module:
    """Return a copy of the teacher that only predicts, on `device` and laid out as the recipe says."""
    copied = copy.deepcopy(teacher).to(device).eval().requires_grad_(requires_grad=False)
    lay_out(copied, recipe.memory_format)
    return copied


def check_teacher(recipe: Recipe, teacher: nn.Module | None) -> None:
    """Check that a teacher goes with distillation.

    Raises:
        ValueError: Where a recipe distils without a teacher, or a teacher is given to one that does not.
    """
    if (recipe.distillation > 0) != (teacher is not None):
        given = "no teacher" if teacher is None else "a teacher"
        raise ValueError(f"distillation is over 0 with a teacher alone, got {recipe.distillation} and {given}")


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Turn CUDA's lack of memory into a failed training."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TrainingFailedError("the device has too little memory for this network, batch and patch") from error
