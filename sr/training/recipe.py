"""How a network is trained: a frozen recipe and its constraints."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import torch

from sr.memory_format import MEMORY_FORMATS
from sr.training.losses import LOSSES

_AT_LEAST_1 = ("steps", "batch", "patch")
_AT_LEAST_0 = ("learning_rate", "minimum_learning_rate", "warmup_steps", "weight_decay", "ema_decay", "clip_norm")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
OPTIMISERS: dict[str, type[torch.optim.Adam]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}

# Adam's beta2 where nothing else is said (Kingma & Ba, ICLR 2015).
_BETA2 = 0.999
# Of a beta2 that rises: the power of the steps, and the first ones, which are one stage.
_ADAFACTOR, _FIRST_STAGE = -0.8, 64


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        steps: How many.
        batch: How many patches in a step.
        patch: Their side in LR pixels.
        loss: A key of `sr.training.losses.LOSSES`.
        optimiser: A key of OPTIMISERS.
        learning_rate: The highest one.
        minimum_learning_rate: The lowest one of `cosine` and `triangular`.
        schedule: The learning rate after `warmup_steps`: `cosine` falls to `minimum_learning_rate`, `step` halves after
            every fifth of the steps, `constant` stays, `triangular` rises from `minimum_learning_rate` for half of the
            steps and falls back (Gate Decorator's Tock, You et al., NeurIPS 2019).
        warmup_steps: 0 for none, as in the next three.
        weight_decay: Of the optimiser.
        ema_decay: Of the average of the weights, which is what is used then.
        clip_norm: The most that the gradient's norm may be.
        rising_beta2: Whether the mean of squared gradients that Adam divides by reaches back the farther the more steps
            were taken, see `beta2_at`, not always a thousand.
        seed: What the patches are drawn from.
        precision: A key of PRECISIONS, or `fastest`, which times those that the device is for before the first step;
            float16 scales the loss.
        memory_format: A key of `sr.measure.latency.MEMORY_FORMATS`, or `fastest`.
        distillation: How much of the loss, 0 to 1, is the L1 distance to a teacher's SR.
        solve_output: Whether the last convolution is solved for after the last step, see
            `sr.training.closed_form_output`.

    Raises:
        ValueError: Where a value breaks its constraint.
    """

    steps: int
    batch: int = 16
    patch: int = 32
    loss: Literal["l1", "l1_gradient", "charbonnier", "l2"] = "l1"
    optimiser: Literal["adam", "adamw"] = "adam"
    learning_rate: float = 3e-3
    minimum_learning_rate: float = 1e-6
    schedule: Literal["cosine", "step", "constant", "triangular"] = "cosine"
    warmup_steps: int = 50
    weight_decay: float = 0.0
    ema_decay: float = 0.0
    clip_norm: float = 0.1
    rising_beta2: bool = False
    seed: int = 0
    precision: str = "fastest"
    memory_format: str = "fastest"
    distillation: float = 0.0
    solve_output: bool = False

    def __post_init__(self) -> None:
        for name, constraint, kept in (
            *((name, "at least 1", getattr(self, name) >= 1) for name in _AT_LEAST_1),
            *((name, "at least 0 and finite", 0 <= getattr(self, name) < math.inf) for name in _AT_LEAST_0),
            ("ema_decay", "less than 1", self.ema_decay < 1),
            ("distillation", "from 0 to 1", 0 <= self.distillation <= 1),
        ):
            if not kept:
                raise ValueError(f"{name} must be {constraint}, got {getattr(self, name)}")
        allowed: dict[str, Collection[str]] = {
            "loss": LOSSES,
            "optimiser": OPTIMISERS,
            "schedule": ("cosine", "step", "constant", "triangular"),
            "precision": ("fastest", *PRECISIONS),
            "memory_format": ("fastest", *MEMORY_FORMATS),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} is one of {', '.join(values)}, got {getattr(self, name)!r}")

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if step < self.warmup_steps:
            return self.learning_rate * ((step + 1) / self.warmup_steps)
        share = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        if self.schedule in ("cosine", "triangular"):
            height = (1 + math.cos(math.pi * share)) / 2 if self.schedule == "cosine" else 1 - abs(2 * share - 1)
            return self.minimum_learning_rate + (self.learning_rate - self.minimum_learning_rate) * height
        return self.learning_rate * (0.5 ** math.floor(5 * share) if self.schedule == "step" else 1.0)

    def beta2_at(self, step: int) -> float:
        """Return Adam's beta2 of a step, counted from 0: 0.999, or what it has risen to.

        1 - n^-0.8 after n steps is Adafactor's (Shazeer & Stern, ICML 2018), here in stages, each of twice as many
        steps as all before, as a CUDA graph is of one value.
        """
        if not self.rising_beta2:
            return _BETA2
        stage = max(_FIRST_STAGE, 1 << (step + 1).bit_length() - 1)
        return min(_BETA2, 1.0 - math.pow(stage, _ADAFACTOR))
