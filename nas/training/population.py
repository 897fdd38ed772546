"""The architectures that a supernet is trained for."""

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass

from nas.larger_sizes import multi_adds
from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace
from sr.errors import InputError

_MUTATED_CHOICES = 3


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

    Every other proposal is a mutation of one accepted before, so that a budget that few meet still leaves many. The
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
            picks = space.mutate(space.encode(rng.choice(members)), rng, rng.randint(1, _MUTATED_CHOICES))
        propose(space.decode(picks))
    if not members:
        raise InputError(
            f"a supernet takes at least one architecture within the budget, got none of {len(seen)} of {space.name}; "
            f"raise the budget"
        )
    by_size = sorted(members, key=lambda member: (multi_adds(member), member.key))
    return Population(
        sample=functools.partial(_one_of, tuple(members)),
        largest=by_size[-1],
        smallest=by_size[0],
        num_feat_most=max(member.num_feat for member in members),
        positions=max(len(member.blocks) for member in members),
    )


def _one_of(members: tuple[Architecture, ...], rng: random.Random) -> Architecture:
    """Draw one of `members`."""
    return rng.choice(members)
