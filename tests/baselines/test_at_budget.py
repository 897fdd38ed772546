"""The sizes of a family, and the largest of them within a budget."""

import pytest
import torch

from baselines import BASELINES, build
from baselines.at_budget import at_budget, scalable_families, sizes_of
from sr.errors import InputError
from sr.measure.latency import Protocol
from sr.measure.latency_model import USUAL
from sr.measure.target import Target

# Beyond this many a family takes long to look through.
MOST_SIZES = 90
# How many times as many weights the largest member has at least, so that budgets from 5 to 200 ms find one.
RANGE = 12
FEW = Protocol(seconds=0.0, minimum_runs=3, early_stop_runs=3, idle_seconds=0.0)
TARGET = Target(torch.device("cpu"), (16, 16))


def test_every_family_that_the_league_needs_has_sizes():
    named = "ecbsr span rlfn rfdn safmn msrresnet abpn xlsr sesr srvgg espcn fsrcnn bicubic_pp rt4ksr etds plainusr"
    assert {*named.split(), "quicksrnet"} <= set(scalable_families())


@pytest.mark.parametrize("name", scalable_families())
def test_every_size_builds_and_enlarges_four_times(name):
    lr = torch.empty(1, 3, 16, 16, device="meta")
    with torch.no_grad():
        for config in sizes_of(name):
            assert build(name, **config).to("meta")(lr).shape == (1, 3, 64, 64), config


@pytest.mark.parametrize("name", scalable_families())
def test_sizes_are_few_and_their_values_ascend(name):
    entry = BASELINES[name]
    assert 2 <= len(sizes_of(name)) <= MOST_SIZES
    for key, values in entry.scaled_by.items():
        assert len(set(values)) == len(values), key
        assert list(values) == sorted(values), key
    assert not set(entry.scaled_by) & set(entry.training_form)


@pytest.mark.parametrize("name", scalable_families())
def test_sizes_reach_from_small_to_large(name):
    first, last = sizes_of(name)[0], sizes_of(name)[-1]
    small, large = (sum(each.numel() for each in build(name, **size).parameters()) for size in (first, last))
    assert large > RANGE * small


def test_the_largest_size_is_found_where_the_budget_is_beyond_all():
    found = at_budget(["bicubic_pp"], 1e6, TARGET, USUAL, protocol=FEW, rounds=1)
    assert found["bicubic_pp"].config == sizes_of("bicubic_pp")[-1]
    assert found["bicubic_pp"].title == "bicubic_pp num_feat=128 num_block=8"


def test_a_family_that_never_keeps_to_the_budget_is_left_out():
    assert at_budget(["bicubic_pp"], 1e-6, TARGET, USUAL, protocol=FEW) == {}


def test_a_family_of_one_size_is_refused_with_those_that_have_more():
    with pytest.raises(InputError, match=r"can be scaled is one of msrresnet, .*; got 'imdn'"):
        at_budget(["imdn"], 40, TARGET, USUAL, protocol=FEW)
