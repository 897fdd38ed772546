"""What a network's parts have to do adds up to what the network has to do."""

import itertools
import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import SPACES
from search_spaces.architecture import AGGREGATIONS, IMAGE_SKIPS, UPSAMPLERS, Architecture, Block
from search_spaces.fast_work import work
from search_spaces.msrresnet import repeated
from search_spaces.network import build
from sr.deployment import deploy
from sr.measure.latency_model import USUAL, Work, work_of
from sr.measure.operator_work import operators_of
from sr.scale import SCALES

SIZE = (16, 24)


def whole(architecture: Architecture) -> Work:
    picture = torch.empty(1, 3, *SIZE, device="meta")
    return work_of(operators_of(deploy(build(architecture)), picture), SIZE[0] * SIZE[1])


def same(left: Work, right: Work) -> bool:
    return left == pytest.approx(right, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", sorted(SPACES))
@settings(max_examples=10)
@given(st.randoms(use_true_random=False), st.sampled_from(SCALES))
def test_what_adds_up_is_what_the_network_does(name: str, rng: random.Random, scale: int) -> None:
    # Fewer positions than it has: those beyond count as these do.
    space = replace(SPACES[name], positions=4, seeds=()).at_scale(scale)
    architecture = space.decode(space.sample(rng))
    assert same(work(architecture, SIZE), whole(architecture))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("upsampler", "image_skip"), list(itertools.product(UPSAMPLERS, IMAGE_SKIPS)))
def test_every_upsampler_and_image_skip_adds_up(upsampler: str, image_skip: str, scale: int) -> None:
    architecture = repeated(12, "residual_leaky", 2, scale=scale, upsampler=upsampler, image_skip=image_skip)
    assert same(work(architecture, SIZE), whole(architecture))


@pytest.mark.parametrize(("aggregation", "depth"), list(itertools.product(AGGREGATIONS, (1, 2, 5))))
def test_every_aggregation_adds_up_at_every_depth(aggregation: str, depth: int) -> None:
    architecture = repeated(8, "branched_conv", depth, aggregation=aggregation)
    assert same(work(architecture, SIZE), whole(architecture))


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_empty_positions_do_nothing(aggregation: str) -> None:
    empty = Architecture(8, (Block("identity"),) * 3, aggregation=aggregation)
    assert same(work(empty, SIZE), whole(empty))
    blocks = (Block("branched_conv"), Block("identity"), Block("branched_conv"))
    assert same(work(Architecture(8, blocks), SIZE), work(repeated(8, "branched_conv", 2), SIZE))


def test_deeper_and_wider_networks_do_more() -> None:
    small, deeper, wider = (
        USUAL.predict(work(each, SIZE))
        for each in (
            repeated(16, "branched_conv", 2),
            repeated(16, "branched_conv", 3),
            repeated(32, "branched_conv", 2),
        )
    )
    assert small < deeper
    assert small < wider
