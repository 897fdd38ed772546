"""A supernet trained by the sandwich rule on the architectures that may be chosen, and the scores that it gives."""

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.counting import counts
from search_spaces.architecture import Architecture
from search_spaces.network import SearchedNetwork, silence
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet
from sr.errors import InputError
from sr.losses import LOSSES
from sr.pairs import Pairs
from sr.quality import Quality, evaluate
from sr.recipe import Recipe
from sr.trainer import generator
from sr.training import fit

RANDOM_NETWORKS = 2
COUNTED_SIZE = (64, 64)
MUTATED_CHOICES = 3
# Statistics are the mean over so many batches of training patches; a few hundred thousand pixels tell them well enough.
CALIBRATION_BATCHES = 8
CALIBRATION_BATCH = 16
CALIBRATION_PATCH = 32


@dataclass(frozen=True)
class Population:
    """The architectures that a supernet is trained for.

    sample: draws one. largest, smallest: the ends of the sandwich. num_feat_most, positions: what the supernet must
    hold for all of them.
    """

    sample: Callable[[random.Random], Architecture]
    largest: Architecture
    smallest: Architecture
    num_feat_most: int
    positions: int


def affordable(space: SearchSpace, allowed: Callable[[Architecture], bool], seed: int, draws: int) -> Population:
    """Return those of the space's seeds and of `draws` proposals that `allowed` accepts, each network once.

    Every other proposal is a mutation of one accepted before, so that a budget that few meet still leaves a crowd. The
    largest has the most multi-adds, the smallest the fewest. Raises InputError where none is accepted.
    """
    rng = random.Random(seed)  # noqa: S311 - a draw, no secret
    seen: set[str] = set()
    members: list[Architecture] = []

    def propose(architecture: Architecture) -> None:
        if architecture.key not in seen:
            seen.add(architecture.key)
            if allowed(architecture):
                members.append(architecture.canonical)

    for architecture in space.seeds:
        propose(architecture)
    for number in range(draws):
        picks = space.sample(rng)
        if number % 2 and members:
            picks = space.mutate(space.encode(rng.choice(members)), rng, rng.randint(1, MUTATED_CHOICES))
        propose(space.decode(picks))
    if not members:
        raise InputError(
            f"a supernet takes at least one architecture within the budget, got none of {len(seen)} of {space.name}; "
            f"raise the budget"
        )
    by_size = sorted(members, key=lambda member: (counts(member, COUNTED_SIZE).multi_adds, member.key))
    return Population(
        sample=functools.partial(one_of, tuple(members)),
        largest=by_size[-1],
        smallest=by_size[0],
        num_feat_most=max(member.num_feat for member in members),
        positions=max(len(member.blocks) for member in members),
    )


def one_of(members: tuple[Architecture, ...], rng: random.Random) -> Architecture:
    """Draw one of `members`."""
    return rng.choice(members)


def untrained(space: SearchSpace, population: Population, seed: int) -> Supernet:
    """Return the supernet that holds a population, as a training from `seed` starts."""
    torch.manual_seed(seed)
    supernet = Supernet(space, population.num_feat_most, population.positions)
    for upsampler in supernet.upsamplers.values():
        silence(upsampler)
    return supernet


class Sandwich(nn.Module):
    """A supernet in training: each step the largest network of a population, the smallest and two random ones.

    The largest learns from HR, the others also from what the largest makes of the same patches, which has the share
    `distillation` (0 to 1) of their loss (Yu, Huang, "Universally Slimmable Networks and Improved Training Techniques",
    ICCV 2019; Yu et al., "BigNAS", ECCV 2020, which both learn from it alone). Which random ones depends on the seed
    and the number of the step, which is part of the state. A tensor that no network of a step uses has no gradient and
    stays; one that is used in part has zeros elsewhere, where Adam goes on by its momentum. Raises ValueError where
    `distillation` breaks its law.
    """

    def __init__(self, supernet: Supernet, population: Population, *, seed: int = 0, distillation: float = 0.5) -> None:
        super().__init__()
        if not 0 <= distillation <= 1:
            raise ValueError(f"distillation must be from 0 to 1, got {distillation}")
        self.supernet, self.population = supernet, population
        self.seed, self.distillation = seed, distillation
        self.steps_done = 0
        self.distance: Tensor | None = None

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale (n, 3, h, w) to (n, 3, 4h, 4w) by the largest network."""
        return self.supernet(lr, self.population.largest)  # type: ignore[no-any-return]

    def exits(self, lr: Tensor) -> list[Tensor]:
        """Return the SR of the step's networks, the largest's first, and go to the next step.

        The values are theirs; what a loss sends back to the others is cut to the share that the distance leaves it.
        """
        largest, *others = (self.supernet(lr, architecture) for architecture in self.drawn(self.steps_done))
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

    def drawn(self, step: int) -> list[Architecture]:
        """Return the architectures of a step: the largest, the smallest, then random ones."""
        rng = random.Random(f"{self.seed}/{step}")  # noqa: S311 - a draw, no secret
        ends = [self.population.largest, self.population.smallest]
        return ends + [self.population.sample(rng) for _ in range(RANDOM_NETWORKS)]

    def get_extra_state(self) -> dict[str, Any]:
        """Return what the next step depends on beside the weights, and the ends of the population."""
        ends = [self.population.largest.key, self.population.smallest.key]
        return {"steps_done": self.steps_done, "ends": ends}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Go on from a state; raises ValueError where it is of another population."""
        if state["ends"] != self.get_extra_state()["ends"]:
            raise ValueError(f"the population's ends are {self.get_extra_state()['ends']}, got {state['ends']}")
        self.steps_done = state["steps_done"]


def train(
    supernet: Supernet,
    population: Population,
    recipe: Recipe,
    pairs: Pairs,
    device: torch.device,
    *,
    distillation: float = 0.5,
    state: Path | None = None,
    quiet: bool = False,
) -> Supernet:
    """Train a supernet in place on `device` and return it, or its average where the recipe asks for one, in eval mode.

    distillation: see `Sandwich`. state: as in `sr.training.fit`, whose errors are raised.
    """
    sandwich = Sandwich(supernet, population, seed=recipe.seed, distillation=distillation)
    trained = fit(sandwich, recipe, pairs, device, state=state, label="supernet", quiet=quiet).network
    assert isinstance(trained, Sandwich)
    return trained.supernet


def score(
    supernet: Supernet,
    architecture: Architecture,
    val: Pairs,
    device: torch.device,
    *,
    train: Pairs | None = None,
) -> Quality:
    """Return the quality on `val` of an architecture with the supernet's weights, without SSIM; the supernet stays.

    train: what batch norm's statistics are taken from anew, as the shared ones are of other networks too. Raises
    ValueError where the architecture is outside the supernet or a space with batch norm is given no `train`.
    """
    network = inherited(supernet, architecture).to(device)
    if supernet.space.norm != "none":
        if train is None:
            raise ValueError(f"the score of a network with {supernet.space.norm} norm takes training pairs, got none")
        recalibrate(network, train, device)
    return evaluate(network, val, device, with_ssim=False)


def inherited(supernet: Supernet, architecture: Architecture) -> SearchedNetwork:
    """Return the network of an architecture with the supernet's weights, from which a training can start."""
    return supernet.extract(architecture)


@torch.no_grad()
def recalibrate(network: nn.Module, pairs: Pairs, device: torch.device) -> None:
    """Set the running statistics of a network's batch norm to their mean over training patches; leaves eval mode."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # all batches count the same
    network.train()
    patch = min(CALIBRATION_PATCH, pairs.smallest_side())
    for step in range(CALIBRATION_BATCHES):
        network(pairs.patches(CALIBRATION_BATCH, patch, generator(0, step))[0].to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
