"""Seeds that depend on their parts alone."""

import itertools

import torch

from sr.seeds import derived_seed, generator


def test_a_seed_depends_on_all_parts_and_their_order() -> None:
    parts = [(0,), (1,), (0, 0), (0, 1), (1, 0), (12, 3), (1, 23), (2**40, 7)]
    seeds = [derived_seed(*each) for each in parts]
    assert len(set(seeds)) == len(parts)
    assert seeds == [derived_seed(*each) for each in parts]
    assert all(0 <= seed < 2**64 for seed in seeds)


def test_a_seed_is_pinned() -> None:
    # The first eight bytes, the lowest first, of the SHA-256 of "0/1": what runs on record were drawn from.
    assert derived_seed(0, 1) == 18_069_174_327_621_007_529


def test_a_generator_repeats_and_neighbours_share_nothing() -> None:
    drawn = [torch.randint(2**31, (8,), generator=generator(*each)) for each in ((1, 9), (1, 9), (1, 10), (2, 9))]
    assert torch.equal(drawn[0], drawn[1])
    for one, other in itertools.combinations(drawn[1:], 2):
        assert not set(one.tolist()) & set(other.tolist())
