"""A supernet in training by the sandwich rule."""

import random
from typing import Any

import torch
from torch import Tensor, nn

from nas.training.population import Population
from search_spaces.architecture import Architecture
from search_spaces.supernet import Supernet
from sr.training.losses import LOSSES

_RANDOM_NETWORKS = 2


class Sandwich(nn.Module):
    """A supernet in training: each step the largest network of a population, the smallest and two random ones.

    The largest learns from HR, the others also from what the largest makes of the same patches, which has the share
    `distillation` (0 to 1) of their loss (Yu, Huang, "Universally Slimmable Networks and Improved Training Techniques",
    ICCV 2019; Yu et al., "BigNAS", ECCV 2020, which both learn from it alone). Which random ones depends on the seed
    and the number of the step, which is part of the state. A tensor that no network of a step uses has no gradient and
    stays; one that is used in part has zeros elsewhere, where Adam goes on by its momentum. Raises ValueError where
    `distillation` breaks its constraint.

    Attributes:
        varies: That no two steps need do the same: what a graph of one of them would repeat.
    """

    varies = True

    def __init__(self, supernet: Supernet, population: Population, *, seed: int = 0, distillation: float = 0.5) -> None:
        super().__init__()
        if not 0 <= distillation <= 1:
            raise ValueError(f"distillation must be from 0 to 1, got {distillation}")
        self.supernet, self.population = supernet, population
        self.seed, self.distillation = seed, distillation
        self.steps_done = 0
        self.distance: Tensor | None = None

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale LR (n, 3, h, w) by the largest network."""
        return self.supernet(lr, self.population.largest)  # type: ignore[no-any-return]

    def exits(self, lr: Tensor) -> list[Tensor]:
        """Return the SR of the step's networks, the largest's first, and go to the next step.

        The values are theirs; what a loss sends back to the others is cut to the share that the distance leaves it.
        """
        largest, *others = (self.supernet(lr, architecture) for architecture in self._drawn(self.steps_done))
        self.steps_done += 1
        target = largest.detach().float()
        distances = torch.stack([LOSSES["l1"](sr.float(), target) for sr in others])
        self.distance = self.distillation * distances.sum() / (1 + len(others))
        return [largest, *(torch.lerp(sr.detach(), sr, 1 - self.distillation) for sr in others)]

    def penalty(self) -> Tensor:
        """Return the distance of the others to the largest since the last `exits`, a scalar to add to their mean loss.

        Raises ValueError where there was none.
        """
        if self.distance is None:
            raise ValueError("a penalty follows exits, got none since the last")
        # Kept no longer: it holds the graph of the step.
        distance, self.distance = self.distance, None
        return distance

    def _drawn(self, step: int) -> list[Architecture]:
        """Return the architectures of a step: the largest, the smallest, then random ones."""
        rng = random.Random(f"{self.seed}/{step}")  # noqa: S311 - a draw, no secret
        ends = [self.population.largest, self.population.smallest]
        return ends + [self.population.sample(rng) for _ in range(_RANDOM_NETWORKS)]

    def get_extra_state(self) -> dict[str, Any]:
        """Return what the next step depends on beside the weights, and the ends of the population."""
        ends = [self.population.largest.key, self.population.smallest.key]
        return {"steps_done": self.steps_done, "ends": ends}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Go on from a state; raises ValueError where it is of another population."""
        if state["ends"] != self.get_extra_state()["ends"]:
            raise ValueError(f"the population's ends are {self.get_extra_state()['ends']}, got {state['ends']}")
        self.steps_done = state["steps_done"]
