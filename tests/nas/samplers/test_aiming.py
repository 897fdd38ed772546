"""Architectures that are brought to the budget: never over it, near it where they can be, and of the same space."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.samplers.aiming import LEAST_SHARE, MOST_SHARE, _deeper, aimed, first_candidates
from nas.samplers.protocol import SearchProblem
from search_spaces import SPACES
from search_spaces.architecture import Architecture, Block
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from search_spaces.space import SearchSpace


def problem_of(space: SearchSpace, budget: float) -> SearchProblem:
    """Return a problem whose networks take as long as they have channels times blocks, and a little more."""

    def share(architecture: Architecture) -> float:
        blocks = [block for block in architecture.canonical.blocks if block.kind != "identity"]
        return (architecture.num_feat * (2 + len(blocks))) / budget

    return SearchProblem(space, 0, 40.0, budget_share=share)


@pytest.mark.parametrize("name", sorted(SPACES))
@given(st.randoms(use_true_random=False), st.floats(10.0, 2000.0))
def test_aimed_network_keeps_to_the_budget_uses_it_and_stays_in_the_space(
    name: str, rng: random.Random, budget: float
) -> None:
    space, problem = SPACES[name], problem_of(SPACES[name], budget)
    drawn = space.decode(space.sample(rng))
    found = aimed(problem, drawn)
    if found is None:
        # Not even the narrowest network of one block is within it, or of all blocks where none may be left out.
        depth = 1 if "identity" in space.kinds else space.positions
        assert min(space.num_feat) * (2 + min(depth, len(drawn.canonical.blocks))) > MOST_SHARE * budget
        return
    assert space.decode(space.encode(found)).key == found.key
    share = problem.budget_share(found)
    assert share is not None
    assert share <= MOST_SHARE
    others = (found.upsampler, found.image_skip, found.aggregation, found.norm)
    assert others == (drawn.upsampler, drawn.image_skip, drawn.aggregation, drawn.norm)
    if share < LEAST_SHARE:
        # Another block has no place, or is too much.
        deeper = _deeper(found, space.positions)
        assert deeper is None or problem.budget_share(deeper) > MOST_SHARE


@given(st.randoms(use_true_random=False), st.floats(100.0, 2000.0))
def test_network_that_is_near_the_budget_stays_what_it_is(rng: random.Random, budget: float) -> None:
    problem = problem_of(MSRRESNET_SPACE, budget)
    drawn = MSRRESNET_SPACE.decode(MSRRESNET_SPACE.sample(rng))
    share = problem.budget_share(drawn)
    assert share is not None
    if LEAST_SHARE <= share <= MOST_SHARE:
        assert aimed(problem, drawn) == drawn.canonical


def test_nothing_is_changed_where_no_runtime_is_known() -> None:
    deep = repeated(64, "residual_leaky", 16)
    assert aimed(SearchProblem(MSRRESNET_SPACE, 0, 40.0), deep) == deep


def test_depth_is_changed_by_the_most_frequent_kind_where_its_blocks_are() -> None:
    mixed = Architecture(8, tuple(Block(kind) for kind in ("idle", "branched_conv", "branched_conv", "idle", "idle")))
    deeper = aimed(problem_of(MSRRESNET_SPACE, 8 * 8.0 / MOST_SHARE), mixed, least=MOST_SHARE)
    assert deeper is not None
    assert [block.kind for block in deeper.blocks] == ["idle", "branched_conv", "branched_conv", *["idle"] * 3]
    shallower = aimed(problem_of(MSRRESNET_SPACE, 8 * 6.0 / MOST_SHARE), mixed)
    assert shallower is not None
    assert [block.kind for block in shallower.blocks] == ["idle", "branched_conv", "branched_conv", "idle"]


def test_width_gives_way_where_depth_alone_cannot() -> None:
    wide = repeated(64, "residual_leaky", 3)
    narrower = aimed(problem_of(MSRRESNET_SPACE, 100.0), wide)
    assert narrower is not None
    assert narrower.num_feat < 64
    assert aimed(problem_of(MSRRESNET_SPACE, 20.0), wide) is None


def test_another_share_is_filled_up_where_asked_for() -> None:
    problem, shallow = problem_of(MSRRESNET_SPACE, 100.0), repeated(8, "residual_leaky", 2)
    half, full = (aimed(problem, shallow, least=least) for least in (0.5, 0.95))
    assert half is not None
    assert full is not None
    assert len(half.blocks) == 5
    assert len(full.blocks) == 10


def test_search_that_knows_no_runtimes_begins_with_the_seeds_as_they_are() -> None:
    assert first_candidates(SearchProblem(MSRRESNET_SPACE, 0, 40.0)) == list(MSRRESNET_SPACE.seeds)
    assert first_candidates(SearchProblem(replace(MSRRESNET_SPACE, seeds=()), 0, 40.0)) == []


@given(st.floats(30.0, 3000.0))
def test_search_begins_with_the_smallest_seed_and_with_others_near_the_budget(budget: float) -> None:
    problem = problem_of(MSRRESNET_SPACE, budget)
    smallest, *others = first_candidates(problem)
    if all((problem.budget_share(seed) or 0) < 0.7 for seed in MSRRESNET_SPACE.seeds):
        assert [smallest, *others] == list(MSRRESNET_SPACE.seeds)
        return
    assert smallest == MSRRESNET_SPACE.seeds[0]
    assert len({each.key for each in others}) == len(others)
    for each in others:
        share = problem.budget_share(each)
        assert share is not None
        assert share <= 1.25
        # What leaves much of it unused cannot be deeper by a block, or has no place for one.
        deeper = _deeper(each.canonical, MSRRESNET_SPACE.positions)
        if share < 0.7 and deeper is not None:
            more = problem.budget_share(deeper)
            assert more is not None
            assert more > 1
        assert MSRRESNET_SPACE.decode(MSRRESNET_SPACE.encode(each)).key == each.key


def test_seed_far_beyond_the_budget_is_left_out() -> None:
    assert first_candidates(problem_of(MSRRESNET_SPACE, 1.0)) == [MSRRESNET_SPACE.seeds[0]]
