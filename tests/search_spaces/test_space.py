"""The contract that every space meets, and sizes worked out by hand and by brute force."""

import itertools
import random
from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import SPACES
from search_spaces.architecture import Architecture, Block
from search_spaces.msrresnet import MSRRESNET_SPACE
from search_spaces.network import build
from search_spaces.space import SearchSpace, position_name
from sr.scale import SCALES

TINY = SearchSpace(
    name="tiny",
    positions=3,
    kinds=("residual_relu", "idle", "identity"),
    num_feat=(8, 12),
    upsampler=("one_step",),
    image_skip=("none", "nearest"),
    aggregation=("none",),
)
FULL = replace(TINY, name="full", kinds=("residual_relu", "idle"))
SINGLE = replace(TINY, name="single", kinds=("residual_relu",))
EMPTY = replace(TINY, name="empty", kinds=("identity",))
MEMBERS = {**SPACES, **{space.name: space for space in (TINY, FULL, SINGLE, EMPTY)}}

each_space = pytest.mark.parametrize("space", MEMBERS.values(), ids=MEMBERS)
draws = st.integers(0, 2**32 - 1).map(random.Random)


def filled(space: SearchSpace, architecture: Architecture) -> Architecture:
    """Return `architecture` with empty positions at its end, as many as the space has."""
    missing = space.positions - len(architecture.blocks)
    return replace(architecture, blocks=architecture.blocks + (Block("identity"),) * missing)


@each_space
@settings(deadline=None, max_examples=25)
@given(rng=draws)
def test_a_sample_is_valid_and_round_trips(space: SearchSpace, rng: random.Random) -> None:
    picks = space.sample(rng)
    architecture = space.decode(picks)
    assert len(architecture.blocks) == space.positions
    assert architecture.norm == space.norm
    assert space.encode(architecture) == picks
    assert list(picks) == list(space.choices)


@pytest.mark.parametrize("name", [name for name, space in MEMBERS.items() if "identity" in space.kinds])
@settings(deadline=None, max_examples=25)
@given(rng=draws)
def test_a_shorter_architecture_is_filled_up(name: str, rng: random.Random) -> None:
    space = MEMBERS[name]
    whole = space.decode(space.sample(rng))
    shorter = replace(whole, blocks=whole.blocks[: rng.randint(1, space.positions)])
    decoded = space.decode(space.encode(shorter))
    assert decoded == filled(space, shorter)
    assert decoded.key == shorter.key


@each_space
@settings(deadline=None, max_examples=10)
@given(rng=draws, scale=st.sampled_from(SCALES))
def test_a_space_at_a_scale_keeps_it_through_every_move(space: SearchSpace, rng: random.Random, scale: int) -> None:
    there = space.at_scale(scale)
    picks = there.sample(rng)
    moved = there.crossover(there.mutate(picks, rng), there.sample(rng), rng)
    assert {there.decode(each).scale for each in (picks, moved)} == {scale}
    assert there.encode(there.decode(moved)) == moved
    assert [replace(seed, scale=4) for seed in there.seeds] == list(space.seeds)
    assert {seed.scale for seed in there.seeds} <= {scale}
    assert (there.name, there.choices, there.at_scale(4)) == (space.name, space.choices, space)


def test_a_space_has_the_scales_alone() -> None:
    assert MSRRESNET_SPACE.at_scale(4) == MSRRESNET_SPACE
    with pytest.raises(ValueError, match=r"^scale is one of 2, 3, 4, got 8$"):
        MSRRESNET_SPACE.at_scale(8)


@each_space
def test_the_same_seed_draws_the_same(space: SearchSpace) -> None:
    drawn = [[space.sample(rng) for _ in range(3)] for rng in (random.Random(7), random.Random(7))]
    assert drawn[0] == drawn[1]


@each_space
@settings(deadline=None, max_examples=25)
@given(rng=draws, count=st.integers(0, 40))
def test_mutation_changes_exactly_count_choices(space: SearchSpace, rng: random.Random, count: int) -> None:
    picks = space.sample(rng)
    before = dict(picks)
    changed = space.mutate(picks, rng, count)
    assert sum(changed[name] != before[name] for name in space.choices) == min(count, len(space.choices))
    assert picks == before
    space.decode(changed)


@each_space
@settings(deadline=None, max_examples=25)
@given(rng=draws)
def test_crossover_takes_each_value_from_a_parent(space: SearchSpace, rng: random.Random) -> None:
    left, right = space.sample(rng), space.sample(rng)
    child = space.crossover(left, right, rng)
    assert all(child[name] in (left[name], right[name]) for name in space.choices)
    assert space.crossover(left, left, rng) == left
    space.decode(child)


def test_crossover_takes_from_both_parents() -> None:
    space = MSRRESNET_SPACE
    left = {name: values[0] for name, values in space.choices.items()}
    right = {name: values[1] for name, values in space.choices.items()}
    child = space.crossover(left, right, random.Random(0))
    assert left != child != right


@each_space
def test_sizes_are_positive_and_ordered(space: SearchSpace) -> None:
    assert 1 <= space.networks <= space.size


@each_space
def test_seeds_are_inside(space: SearchSpace) -> None:
    for seed in space.seeds:
        assert space.decode(space.encode(seed)) == filled(space, seed)


@pytest.mark.parametrize("name", SPACES)
def test_a_shipped_space_has_its_name_and_different_seeds(name: str) -> None:
    space = SPACES[name]
    assert space.name == name
    assert len({seed.key for seed in space.seeds}) == len(space.seeds) > 0


@each_space
def test_a_choice_leaves_a_choice(space: SearchSpace) -> None:
    for name, values in space.choices.items():
        assert len(values) > 1, name
        assert len(set(values)) == len(values), name
    assert [position_name(index) for index in range(space.positions)] == sorted(
        name for name in space.fields if name.startswith("block_")
    )


@each_space
def test_a_sample_builds(space: SearchSpace) -> None:
    rng = random.Random(0)
    with torch.device("meta"):
        for _ in range(3):
            network = build(space.decode(space.sample(rng)))
            assert network(torch.empty(1, 3, 5, 7)).shape == (1, 3, 20, 28)


@pytest.mark.parametrize(
    ("space", "size", "networks"),
    [
        (TINY, 2 * 2 * 3**3, 2 * 2 * (1 + 2 + 4 + 8)),
        (FULL, 2 * 2 * 2**3, 2 * 2 * 2**3),
        (SINGLE, 2 * 2, 2 * 2),
        (EMPTY, 2 * 2, 2 * 2),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_sizes_by_hand_and_by_brute_force(space: SearchSpace, size: int, networks: int) -> None:
    whole = [dict(zip(space.choices, values, strict=True)) for values in itertools.product(*space.choices.values())]
    keys = {space.decode(picks).key for picks in whole}
    assert (space.size, space.networks) == (size, networks)
    assert (len(whole), len(keys)) == (size, networks)


def test_samples_spread_evenly_over_the_depths() -> None:
    rng = random.Random(0)
    depths = Counter(
        sum(block.kind != "identity" for block in MSRRESNET_SPACE.decode(MSRRESNET_SPACE.sample(rng)).blocks)
        for _ in range(100 * MSRRESNET_SPACE.positions)
    )
    # 100 of each are expected, with a deviation below 10: five deviations to either side.
    assert set(depths) == set(range(1, MSRRESNET_SPACE.positions + 1))
    assert all(50 <= seen <= 150 for seen in depths.values())


def test_wrong_picks_are_refused() -> None:
    picks = TINY.sample(random.Random(0))
    without = {name: value for name, value in picks.items() if name != "num_feat"}
    with pytest.raises(ValueError, match=r"^tiny has the choices "):
        TINY.decode(without)
    with pytest.raises(ValueError, match=r"^tiny has the choices .* got .*upsampler"):
        TINY.decode(picks | {"upsampler": "one_step"})
    with pytest.raises(ValueError, match=r"^num_feat is one of \(8, 12\), got 16$"):
        TINY.decode(picks | {"num_feat": 16})
    with pytest.raises(ValueError, match=r"^block_01 is one of .* got 'inverted_x3'$"):
        TINY.decode(picks | {"block_01": "inverted_x3"})


INSIDE = Architecture(8, (Block("idle"),) * 3)


@pytest.mark.parametrize(
    ("outside", "constraint"),
    [
        (replace(INSIDE, num_feat=16), r"num_feat is one of \(8, 12\)"),
        (replace(INSIDE, blocks=(Block("inverted_x3"),)), "block_00 is one of "),
        (replace(INSIDE, upsampler="two_step"), "upsampler is one of "),
        (replace(INSIDE, image_skip="bicubic"), "image_skip is one of "),
        (replace(INSIDE, aggregation="concat"), "aggregation is one of "),
        (replace(INSIDE, norm="batch"), "none norm"),
        (replace(INSIDE, blocks=(Block("idle"),) * 4), "3 positions"),
        (replace(INSIDE, scale=2), "x4"),
    ],
    ids=["num_feat", "kind", "upsampler", "image_skip", "aggregation", "norm", "positions", "scale"],
)
def test_what_lies_outside_is_refused_by_its_constraint(outside: Architecture, constraint: str) -> None:
    assert TINY.decode(TINY.encode(INSIDE)) == INSIDE
    with pytest.raises(ValueError, match=f"is outside tiny: .*{constraint}") as raised:
        TINY.encode(outside)
    assert outside.summary in str(raised.value)
    with pytest.raises(ValueError, match="is outside tiny"):
        replace(TINY, seeds=(outside,))


def test_without_identity_a_shorter_architecture_is_outside() -> None:
    with pytest.raises(ValueError, match="is outside full: block_02 is one of "):
        FULL.encode(replace(INSIDE, blocks=(Block("idle"),) * 2))


@pytest.mark.parametrize("kind", MSRRESNET_SPACE.kinds)
def test_a_space_works_with_one_kind_fewer(kind: str) -> None:
    whole = MSRRESNET_SPACE
    kinds = tuple(other for other in whole.kinds if other != kind)
    seeds = tuple(seed for seed in whole.seeds if kind not in {block.kind for block in filled(whole, seed).blocks})
    fewer = replace(whole, kinds=kinds, seeds=seeds)
    assert fewer.size * len(whole.kinds) ** whole.positions == whole.size * len(kinds) ** whole.positions
    rng = random.Random(0)
    drawn = [fewer.decode(fewer.mutate(fewer.sample(rng), rng, 3)) for _ in range(4)]
    assert kind not in {block.kind for architecture in drawn for block in architecture.blocks}
    with torch.device("meta"):
        assert build(drawn[0])(torch.empty(1, 3, 4, 6)).shape == (1, 3, 16, 24)
