"""The architectures that a supernet is trained for: who is accepted, and the ends."""

import random
from dataclasses import replace

import pytest

from nas.training.population import affordable
from search_spaces.architecture import Architecture
from search_spaces.fast_counts import counts
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from sr.errors import InputError

SPACE = replace(MSRRESNET_SPACE, name="small", num_feat=(8, 12), positions=3, upsampler=("one_step",), seeds=())


def multi_adds(architecture: Architecture) -> int:
    return counts(architecture, (64, 64)).multi_adds


def wide(architecture: Architecture) -> bool:
    return architecture.num_feat == 12


def test_affordable_architectures_are_allowed_and_lie_between_the_ends() -> None:
    population = affordable(SPACE, wide, seed=3, draws=60)
    rng = random.Random(0)
    members = [population.sample(rng) for _ in range(200)]
    assert len({member.key for member in members}) > 20
    assert all(member.num_feat == 12 and member == member.canonical for member in members)
    sizes = [multi_adds(member) for member in members]
    ends = [multi_adds(end) for end in (population.smallest, population.largest)]
    assert ends[0] <= min(sizes) < max(sizes) <= ends[1]
    assert wide(population.largest)
    assert wide(population.smallest)
    assert (population.num_feat_most, population.positions) == (12, 3)


def test_equal_seeds_give_equal_populations_and_others_do_not() -> None:
    drawn = [
        [member.sample(rng).key for rng in [random.Random(1)] for _ in range(20)]
        for member in (affordable(SPACE, wide, seed=seed, draws=40) for seed in (1, 1, 2))
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_seeds_and_their_neighbours_are_found_where_samples_are_not() -> None:
    """Only what is deep and of one kind is allowed, which no sample of a few is."""
    seed = repeated(12, "residual_leaky", MSRRESNET_SPACE.positions)
    space = replace(MSRRESNET_SPACE, seeds=(seed,))

    def allowed(architecture: Architecture) -> bool:
        return [block.kind for block in architecture.blocks].count("residual_leaky") >= 12

    population = affordable(space, allowed, seed=0, draws=40)
    assert population.positions == space.positions
    members = {population.sample(random.Random(number)).key for number in range(100)}
    assert len(members) > 5
    alone = affordable(space, lambda architecture: architecture == seed, seed=0, draws=40)
    assert alone.largest == alone.smallest == seed


def test_network_is_asked_about_once() -> None:
    asked: list[str] = []

    def allowed(architecture: Architecture) -> bool:
        asked.append(architecture.key)
        return True

    affordable(replace(SPACE, positions=1, kinds=("idle",)), allowed, seed=0, draws=100)
    assert len(asked) == len(set(asked)) > 1


def test_space_without_an_affordable_architecture_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        affordable(SPACE, lambda _: False, seed=0, draws=10)
    line = "a supernet takes at least one architecture within the budget, got none of 10 of small; raise the budget"
    assert str(caught.value) == line
