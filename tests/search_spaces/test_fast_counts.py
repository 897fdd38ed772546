import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import SPACES
from search_spaces.architecture import AGGREGATIONS, Architecture, Block
from search_spaces.fast_counts import Counts, counts
from search_spaces.network import build
from sr.measure.complexity import count
from sr.scale import SCALES

SIZE = (16, 24)


@pytest.mark.parametrize("name", sorted(SPACES))
@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(SCALES))
def test_what_adds_up_is_what_is_counted(name: str, rng: random.Random, scale: int) -> None:
    # Fewer positions than it has: those beyond count as these do.
    space = replace(SPACES[name], positions=4, seeds=()).at_scale(scale)
    architecture = space.decode(space.sample(rng))
    whole = count(build(architecture), SIZE)
    assert counts(architecture, SIZE) == Counts(whole.params, whole.multi_adds, whole.activations)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_empty_positions_count_as_they_are_built(aggregation: str) -> None:
    empty = Architecture(8, (Block("identity"),) * 3, aggregation=aggregation)
    whole = count(build(empty), SIZE)
    assert counts(empty, SIZE) == Counts(whole.params, whole.multi_adds, whole.activations)


def test_sums_and_differences_by_hand() -> None:
    assert Counts(1, 2, 3) + Counts(10, 20, 30) == Counts(11, 22, 33)
    assert Counts(11, 22, 33) - Counts(10, 20, 30) == Counts(1, 2, 3)
