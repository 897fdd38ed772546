"""A network in training on a device, one step at a time."""

import contextlib
import copy
import functools
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from sr.cuda_graph import WARM_UPS
from sr.data.pairs import Pairs, PatchPositions
from sr.errors import InputError
from sr.memory import is_out_of_memory
from sr.memory_format import MEMORY_FORMATS, lay_out
from sr.seeds import generator
from sr.training.average import WeightAverage
from sr.training.batches import PinnedBatches
from sr.training.captured_step import CapturedStep
from sr.training.losses import LOSSES
from sr.training.recipe import OPTIMISERS, PRECISIONS, Recipe


class TrainingFailedError(Exception):
    """A training that cannot go on, with the reason: a loss that is not finite, or no memory left."""


class Trainer:
    """A network, its optimiser and its average on a device; `step` is a pure function of them and the step's number.

    Patches are drawn from the recipe's seed and the step's number: a resumed run sees what an uninterrupted one sees.

    Args:
        network: Maps (n, 3, h, w) to (n, 3, s*h, s*w); moved to the device and trained in place.
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
        # A GPU reads the rate from its own memory, so that a captured step sees what it is by then.
        on_cuda = device.type == "cuda"
        self._rate = torch.tensor(recipe.learning_rate, device=device) if on_cuda else recipe.learning_rate
        self.optimiser = OPTIMISERS[recipe.optimiser](
            self.network.parameters(), lr=self._rate, weight_decay=recipe.weight_decay, fused=True
        )
        self.average = WeightAverage(network, recipe.ema_decay) if recipe.ema_decay else None
        # Half precision has no range for small gradients: they are scaled up, and a step that overflows is left out.
        self.scaler = torch.amp.GradScaler(device.type) if recipe.precision == "float16" else None
        elsewhere = device.type != "cpu" and pairs.lr.values.device.type == "cpu"
        self._batches = (
            # Not a method: a trainer that held itself would keep its memory on the device for a while.
            PinnedBatches(pairs, recipe.patch, functools.partial(_drawn, pairs, recipe), pin=on_cuda)
            if elsewhere
            else None
        )
        # Scaling a loss asks the device whether the step overflowed, and what varies has no one graph.
        fixed = self.scaler is None and not getattr(network, "varies", False)
        self._captured = CapturedStep(device) if on_cuda and fixed else None
        self.steps_done = 0

    @property
    def execution(self) -> str:
        """How the next step is launched on a CUDA device, graph or eager; empty elsewhere."""
        if self.device.type != "cuda":
            return ""
        return "graph" if self._captured is not None and self._captured.captured else "eager"

    @property
    def settling_steps(self) -> int:
        """How many steps it takes from the beginning until each costs the same."""
        return 1 if self._captured is None else WARM_UPS + 1

    def step(self) -> Tensor:
        """Take one step and return its loss, a scalar on the device, unchecked: a check would wait for the device.

        A network that has a `penalty` (a method that returns a scalar) trains on the loss plus that; what is returned
        is without it, so that it compares with the loss of other networks.
        """
        self._set_rate(self.recipe.learning_rate_at(self.steps_done))
        self._set_beta2(self.recipe.beta2_at(self.steps_done))
        inputs = self._inputs(self.steps_done)
        loss = self._take(*self._moved(inputs)) if self._captured is None else self._captured.take(self._take, inputs)
        self.steps_done += 1
        return loss

    def _set_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""
        if isinstance(self._rate, Tensor):
            self._rate.fill_(rate)
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate if isinstance(self._rate, Tensor) else rate

    def _set_beta2(self, beta2: float) -> None:
        """Set Adam's beta2 of the next step."""
        if all(group["betas"][1] == beta2 for group in self.optimiser.param_groups):
            return
        for group in self.optimiser.param_groups:
            group["betas"] = (group["betas"][0], beta2)
        if self._captured is not None:
            # To a graph it is a constant.
            self._captured.forget()

    def _take(self, *inputs: Tensor) -> Tensor:
        """Take a step on what `_inputs` gave, by now on the device, and return its loss; waits for nothing."""
        lr, hr = self._batch(*inputs)
        loss = self.loss(lr, hr)
        penalty = getattr(self.network, "penalty", None)
        self.optimiser.zero_grad(set_to_none=True)
        self._descend(loss if penalty is None else loss + penalty())
        if self.average is not None:
            self.average.update(self.network, first=self.steps_done == 0)
        return loss.detach()

    def _descend(self, total: Tensor) -> None:
        """Take the optimiser's step from the gradients of what is to become small, clipped as the recipe says."""
        if self.scaler is None:
            total.backward()
        else:
            self.scaler.scale(total).backward()
            # What is clipped is the gradient itself.
            self.scaler.unscale_(self.optimiser)
        if self.recipe.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_norm)
        if self.device.type == "cuda":
            for group in self.optimiser.param_groups:
                group["capturable"] = torch.cuda.is_current_stream_capturing()
        if self.scaler is None:
            self.optimiser.step()
        else:
            self.scaler.step(self.optimiser)
            self.scaler.update()

    def patches(self, number: int) -> tuple[Tensor, Tensor]:
        """Return LR (b, 3, p, p) in the recipe's memory format and HR (b, 3, s*p, s*p), the same for a number."""
        return self._batch(*self._moved(self._inputs(number)))

    def _moved(self, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return inputs on the device."""
        lr, hr = (each.to(self.device, non_blocking=True) for each in inputs)
        return lr, hr

    def _inputs(self, number: int) -> tuple[Tensor, Tensor]:
        """Return what LR and HR of a batch are made of, on the CPU: their bytes, or where they lie on the device."""
        if self._batches is not None:
            return self._batches.batch(number)
        return self.pairs.walks(_drawn(self.pairs, self.recipe, number), self.recipe.patch)

    def _batch(self, lr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
        """Return the batch, as of `patches`, that is made of these, on the device."""
        if self._batches is not None:
            lr, hr = lr.float().div_(255), hr.float().div_(255)
        else:
            lr, hr = self.pairs.along(lr, hr, self.recipe.patch)
        return lr.contiguous(memory_format=MEMORY_FORMATS[self.recipe.memory_format]), hr

    def loss(self, lr: Tensor, hr: Tensor) -> Tensor:
        """Return the recipe's loss, a scalar: the mean over the exits, each of which learns from the teacher's output.

        Args:
            lr: (n, 3, h, w) in [0, 1], in the recipe's memory format.
            hr: (n, 3, s*h, s*w) in [0, 1].
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
            **({} if self.scaler is None else {"scaler": self.scaler.state_dict()}),
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
            if self.scaler is not None:
                self.scaler.load_state_dict(state["scaler"])
            self.steps_done = state["steps_done"]
            if self._captured is not None:
                # A graph of before would go on with the optimiser's old tensors.
                self._captured = CapturedStep(self.device)
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            raise InputError("the training state is of another network; remove it to start anew") from error


def _drawn(pairs: Pairs, recipe: Recipe, number: int) -> PatchPositions:
    """Return where the patches of a batch lie, by its number."""
    return pairs.draw(recipe.batch, recipe.patch, generator(recipe.seed, number))


def _exits_of(network: nn.Module, lr: Tensor) -> list[Tensor]:
    """Return what the loss is the mean over: all exits of a network that has several (`exits`), else its output."""
    exits = getattr(network, "exits", None)
    return exits(lr) if exits is not None else [network(lr)]


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
    """Turn a lack of memory into a failed training."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingFailedError("the device has too little memory for this network, batch and patch") from error
