"""The largest member of a family that keeps to a budget here; nothing asserts what that is in milliseconds."""

import pytest
import torch

from baselines.at_budget import Member, _configs, _Family, at_budget, scalable_families
from baselines.registry import BASELINES, build
from sr.errors import InputError
from sr.measure.complexity import count
from sr.measure.latency import Protocol
from sr.measure.latency_model import USUAL
from sr.measure.measurement import Measurement, measure
from sr.measure.target import Target

TARGET = Target(torch.device("cpu"), (16, 16), "float32")
FEW = Protocol(seconds=0.0, minimum_runs=3, early_stop_runs=3, idle_seconds=0.0)
HUGE_MS, TINY_MS = 1e6, 1e-6


def largest(name: str) -> dict[str, int]:
    return {key: values[-1] for key, values in BASELINES[name].scaled_by.items()}


@pytest.fixture(scope="module")
def huge() -> dict[str, Member]:
    return at_budget(("span", "ecbsr"), HUGE_MS, TARGET, USUAL, protocol=FEW)


def test_huge_budget_is_kept_by_the_largest_of_each_family(huge: dict[str, Member]) -> None:
    assert list(huge) == ["span", "ecbsr"]
    for name, member in huge.items():
        assert (member.name, dict(member.config)) == (name, largest(name))
        assert member.measurement.within(HUGE_MS)
        assert member.measurement.quality is None
        assert member.measurement.complexity.params == count(build(name, **largest(name)), (16, 16)).params


def test_title_names_the_size_and_the_member_can_be_built(huge: dict[str, Member]) -> None:
    member = huge["ecbsr"]
    assert member.title == "ecbsr num_feat=64 num_block=16"
    assert member.build()(torch.rand(1, 3, 16, 16)).shape == (1, 3, 64, 64)


def test_nothing_keeps_to_a_tiny_budget() -> None:
    # Nothing is even predicted within it,
    assert at_budget(("ecbsr",), TINY_MS, TARGET, USUAL, protocol=FEW) == {}
    # nor, where the model is far too fast, measured within it.
    fast = type(USUAL)(8, tuple(1e-9 * cost for cost in USUAL.costs_ms))
    assert at_budget(("ecbsr",), TINY_MS, TARGET, fast, protocol=FEW, rounds=2) == {}


def measured(size_ms: float, template: Measurement) -> Measurement:
    """Return a measurement with a runtime."""
    runtime = template.runtime
    return type(template)(
        template.complexity,
        type(runtime)(size_ms, size_ms, size_ms, 20, True, runtime.memory_format),
        template.conditions,
        None,
    )


@pytest.mark.parametrize("factor", [0.7, 1.0, 5.0])
def test_family_closes_in_on_the_budget_whatever_the_model_is_off_by(factor: float) -> None:
    """On a device on which all sizes take `factor` times what the model says."""
    template = measure({"it": build("ecbsr", num_feat=8, num_block=1)}, TARGET, FEW)["it"]
    family = _Family("ecbsr", TARGET, USUAL)
    sizes = list(family._left)
    budget_ms = factor * sorted(size.predicted_ms for size in sizes)[len(sizes) // 2]
    tried = []
    while (size := family.next(budget_ms)) is not None:
        tried.append(size)
        assert len(tried) <= 3
        family.measured(size, measured(factor * size.predicted_ms, template), budget_ms)
    # The first step found out what the model is off by.
    fitting = [size for size in sizes if factor * size.predicted_ms <= 0.97 * budget_ms]
    wanted = max(fitting, key=lambda size: size.multi_adds)
    assert family.best is not None
    assert sum(size.multi_adds > wanted.multi_adds for size in tried) <= 1
    best = next(size for size in sizes if size.config == family.best.config)
    assert best.multi_adds >= wanted.multi_adds


def test_sizes_are_every_combination() -> None:
    sizes = list(_configs({"num_feat": (8, 16), "num_block": (1, 2, 3)}))
    assert len(sizes) == 6
    assert {"num_feat": 16, "num_block": 2} in sizes


def test_scalable_families_are_those_with_sizes_in_ascending_order() -> None:
    families = scalable_families()
    assert {"ecbsr", "span", "rlfn", "rfdn", "safmn", "msrresnet"} <= set(families)
    for name in families:
        for values in BASELINES[name].scaled_by.values():
            assert list(values) == sorted(values)
    assert all(BASELINES[name].scaled_by == {} for name in set(BASELINES) - set(families))


@pytest.mark.parametrize("name", scalable_families())
def test_smallest_and_largest_size_of_every_family_can_be_built(name: str) -> None:
    sizes = list(_configs(BASELINES[name].scaled_by))
    for config in (sizes[0], sizes[-1]):
        with torch.inference_mode():
            assert build(name, **config)(torch.rand(1, 3, 16, 16)).shape == (1, 3, 64, 64)


@pytest.mark.parametrize("name", ["nosuch", "espcn"])
def test_family_that_cannot_be_scaled_is_named(name: str) -> None:
    with pytest.raises(InputError, match=rf"a family that can be scaled is one of .*ecbsr.*; got '{name}'"):
        at_budget(("ecbsr", name), 40.0, TARGET, USUAL, protocol=FEW)
