"""The sizes of a family, and the largest of them within a budget."""

from dataclasses import replace

import pytest
import torch

from baselines import BASELINES, build
from baselines.at_budget import (
    _Line,
    _sizes,
    _work,
    at_budget,
    largest_predicted,
    scalable_families,
    sizes_of,
    title_of,
)
from sr.errors import InputError
from sr.measure.calm_speed import CalmSpeed
from sr.measure.latency import Protocol
from sr.measure.latency_model import USUAL
from sr.measure.measurement import measure
from sr.measure.target import Target

# Beyond this many a family takes long to look through.
MOST_SIZES = 90
# How many times as many weights the largest member has at least, so that budgets from 5 to 200 ms find one.
RANGE = 12
CALM_MS = 8.0
FEW = Protocol(seconds=0.0, minimum_runs=3, early_stop_runs=3, idle_seconds=0.0)
TARGET = Target(torch.device("cpu"), (16, 16))


def test_every_family_that_the_league_needs_has_sizes():
    named = "ecbsr span rlfn rfdn safmn msrresnet abpn xlsr sesr srvgg espcn fsrcnn bicubic_pp rt4ksr etds plainusr"
    assert {*named.split(), "quicksrnet"} <= set(scalable_families())


@pytest.mark.parametrize("name", scalable_families())
def test_sizes_build_and_enlarge_four_times(name):
    lr, sizes = torch.empty(1, 3, 16, 16, device="meta"), sizes_of(name)
    with torch.no_grad():
        for config in (*sizes[::6], sizes[-1]):
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
    assert found["bicubic_pp"][0].config == sizes_of("bicubic_pp")[-1]
    assert found["bicubic_pp"][0].title == "bicubic_pp num_feat=128 num_block=8"


def test_other_members_are_of_other_widths_and_each_as_deep_as_the_budget_allows():
    found = at_budget(["bicubic_pp", "espcn"], 1e6, TARGET, USUAL, shapes=3, protocol=FEW, rounds=1)
    deepest = [(each.config["num_feat"], each.config["num_block"]) for each in found["bicubic_pp"]]
    assert deepest == [(128, 8), (96, 8), (80, 8)]
    # Of one depth, it has another width behind its first.
    assert [(each.config["num_feat"], each.config["mid_feat"]) for each in found["espcn"]] == [
        (96, 128), (64, 128), (32, 128),
    ]  # fmt: skip
    assert all(each.measurement.runtime.median_ms > 0 for each in found["espcn"])


def test_a_family_that_never_keeps_to_the_budget_is_left_out():
    assert at_budget(["bicubic_pp"], 1e-6, TARGET, USUAL, protocol=FEW) == {}


def test_a_family_of_one_size_is_refused_with_those_that_have_more():
    with pytest.raises(InputError, match=r"can be scaled is one of msrresnet, .*; got 'imdn'"):
        at_budget(["imdn"], 40, TARGET, USUAL, protocol=FEW)


@pytest.mark.parametrize(("factor", "slowdown"), [(0.7, 1.0), (1.0, 1.0), (5.0, 1.0), (1.0, 1.3)])
def test_family_closes_in_on_the_budget_whatever_the_model_is_off_by(factor, slowdown):
    """On a device on which all sizes take `factor` times what the model says, and that is slower meanwhile."""
    calm = CalmSpeed(CALM_MS)
    template = measure({"it": build("ecbsr", num_feat=8, num_block=1)}, TARGET, FEW)["it"]
    sizes = list(_sizes("ecbsr", TARGET, USUAL))
    family = _Line(sizes)
    budget_ms = factor * sorted(size.predicted_ms for size in sizes)[len(sizes) // 2]
    tried = []
    while (size := family.next(budget_ms)) is not None:
        tried.append(size)
        assert len(tried) <= 3
        taken = slowdown * factor * size.predicted_ms
        runtime = replace(template.runtime, median_ms=taken, p10_ms=taken, p90_ms=taken)
        family.measured(size, replace(template, runtime=runtime, reference_ms=slowdown * CALM_MS), budget_ms, calm)
    # The first step found out what the model is off by.
    fitting = [size for size in sizes if factor * size.predicted_ms <= 0.97 * budget_ms]
    wanted = max(fitting, key=lambda size: size.multi_adds)
    assert family.best is not None
    assert sum(size.multi_adds > wanted.multi_adds for size in tried) <= 1
    assert family.best.size.multi_adds >= wanted.multi_adds


# Where blocks differ, and where there is one depth, every size is counted itself.
CHAINS = [
    name for name in scalable_families() if BASELINES[name].equal_blocks and "num_block" in BASELINES[name].scaled_by
]


@pytest.mark.parametrize("name", CHAINS)
def test_multiply_adds_of_every_depth_follow_from_two(name):
    deepest = max(BASELINES[name].scaled_by["num_block"])
    size = next(each for each in _sizes(name, TARGET, USUAL) if each.config["num_block"] == deepest)
    assert size.multi_adds == _work(name, tuple(size.config.items()), TARGET.lr_size)[0], size.config


def test_nothing_is_measured_where_predictions_are_asked_for():
    (size,) = largest_predicted(["bicubic_pp"], 1e6, TARGET, USUAL)
    assert size.config == sizes_of("bicubic_pp")[-1]
    assert largest_predicted(["bicubic_pp"], 1e-6, TARGET, USUAL) == []


@pytest.mark.parametrize("scale", [2, 3])
def test_members_at_another_scale_have_it_in_their_config_and_less_to_do(scale):
    (usual,), (size,) = (largest_predicted(["bicubic_pp"], 1e6, TARGET, USUAL, scale=each) for each in (4, scale))
    assert size.config == {**usual.config, "scale": scale}
    assert size.title == usual.title == title_of("bicubic_pp", size.config)
    assert size.multi_adds < usual.multi_adds
    assert size.build().to("meta")(torch.empty(1, 3, 16, 16, device="meta")).shape == (1, 3, 16 * scale, 16 * scale)
    found = at_budget(["bicubic_pp"], 1e6, TARGET, USUAL, protocol=FEW, rounds=1, scale=scale)
    assert found["bicubic_pp"][0].config == size.config


def test_every_family_that_can_be_scaled_has_every_scale_and_no_other():
    assert scalable_families() == scalable_families(2) == scalable_families(3)
    assert [len(sizes_of("ecbsr", scale)) for scale in (2, 3)] == [len(sizes_of("ecbsr"))] * 2
    with pytest.raises(InputError, match="--scale is one of 2, 3, 4, got 8"):
        largest_predicted(["ecbsr"], 40, TARGET, USUAL, scale=8)
