"""How long and how fast a pruning scores and trains: the recipes of its ticks and tocks."""

from dataclasses import dataclass, replace

from sr.training.recipe import Recipe


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        rounds: How many of one tick and one tock.
        tick_steps: To score the gates.
        tock_steps: To train what is left.
        batch: Patches a step.
        patch: The side of the LR patches, in pixels.
        learning_rate: Of a tock's apex.
        tick_learning_rate: Of the gates in a tick.
        gate_penalty: The L1 penalty per gate.
        distillation: The dense network's share in the loss.
        seed: Every tick and every tock has one of its own, made of this.

    Raises:
        ValueError: Where a count is under 1.
    """

    rounds: int = 8
    tick_steps: int = 30
    tock_steps: int = 100
    batch: int = 8
    patch: int = 24
    learning_rate: float = 2e-3
    tick_learning_rate: float = 1e-4
    gate_penalty: float = 1e-6
    distillation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rounds", "tick_steps", "tock_steps", "batch", "patch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def tick(self, number: int) -> Recipe:
        """Return the recipe of a tick, counted from 0: only what is scored, gates, is trained."""
        return replace(
            self.tock(number), steps=self.tick_steps, schedule="constant", learning_rate=self.tick_learning_rate,
            seed=self.seed + 2 * number, distillation=0.0,
        )  # fmt: skip

    def tock(self, number: int) -> Recipe:
        """Return the recipe of a tock: everything is trained, the rate rises and falls once."""
        return Recipe(
            steps=self.tock_steps, batch=self.batch, patch=self.patch, schedule="triangular", warmup_steps=0,
            learning_rate=self.learning_rate, minimum_learning_rate=self.learning_rate / 10,
            seed=self.seed + 2 * number + 1, distillation=self.distillation,
        )  # fmt: skip
