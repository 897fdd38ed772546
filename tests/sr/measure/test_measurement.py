"""One network's point: its JSON, its budget, and how it is taken."""

import copy
import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from search_spaces.reparam import BranchedConv3x3
from sr.measure.complexity import Complexity, count
from sr.measure.latency import Protocol, Runtime
from sr.measure.measurement import Measurement, measure
from sr.measure.quality import Quality
from sr.measure.target import Conditions, Target

COUNT = st.integers(0, 2**50)
MILLISECONDS = st.floats(1e-6, 1e9)
DECIBELS = st.floats(allow_nan=False, allow_infinity=False)

MEASUREMENTS = st.builds(
    Measurement,
    st.builds(Complexity, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT),
    st.builds(Runtime, MILLISECONDS, MILLISECONDS, MILLISECONDS, COUNT, st.booleans(), st.text(), COUNT),
    st.builds(Conditions, st.text(), st.text(), st.text(), COUNT, st.tuples(COUNT, COUNT), st.text()),
    st.none() | MILLISECONDS,
    st.none() | st.builds(Quality, DECIBELS, DECIBELS, st.none() | DECIBELS, COUNT),
)

MEASURED = Measurement(
    Complexity(10, 20, 30, 40, 5, 600),
    Runtime(2.0, 1.5, 3.0, 12, True, "channels_last"),
    Conditions("a processor", "oneDNN on", "torch 2", 4, (256, 256), "float32"),
    reference_ms=8.0,
)


@given(MEASUREMENTS)
def test_json_gives_an_equal_measurement(measured: Measurement) -> None:
    assert Measurement.from_json(json.loads(json.dumps(measured.to_json()))) == measured


def test_the_size_comes_back_as_a_tuple() -> None:
    back = Measurement.from_json(json.loads(json.dumps(MEASURED.to_json())))
    assert back.conditions.lr_size == (256, 256)
    assert hash(back) == hash(MEASURED)


@pytest.mark.parametrize(("budget_ms", "expected"), [(2.9, False), (3.0, True), (100.0, True), (2.0, False)])
def test_a_budget_is_met_by_nine_runs_of_ten(budget_ms: float, expected: bool) -> None:
    assert MEASURED.within(budget_ms) is expected


def test_memory_as_the_device_tells_or_else_as_counted() -> None:
    assert MEASURED.memory == 600
    assert replace(MEASURED, runtime=replace(MEASURED.runtime, memory=7)).memory == 7


@pytest.mark.parametrize("field", ["complexity", "runtime", "conditions", "reference_ms", "quality"])
def test_a_missing_field_is_an_error(field: str) -> None:
    values = MEASURED.to_json()
    del values[field]
    with pytest.raises(KeyError, match=field):
        Measurement.from_json(values)


def test_an_unknown_field_is_an_error() -> None:
    values = MEASURED.to_json()
    values["complexity"]["colour"] = 3
    with pytest.raises(TypeError, match="colour"):
        Measurement.from_json(values)


TARGET = Target(torch.device("cpu"), (16, 24))
QUICK = Protocol(seconds=0.0, minimum_runs=3, maximum_runs=3, idle_seconds=0.0)


def networks() -> dict[str, nn.Module]:
    """Return two x4 networks, of which one is to be folded."""
    return {
        kind: nn.Sequential(head, nn.Conv2d(3, 48, 1), nn.PixelShuffle(4)).train()
        for kind, head in (("plain", nn.Conv2d(3, 3, 3)), ("branched", BranchedConv3x3(3, 3, identity=True)))
    }


def test_each_network_is_counted_and_timed_on_the_target() -> None:
    given_networks = networks()
    measured = measure(given_networks, TARGET, QUICK)
    assert list(measured) == ["plain", "branched"]
    for name, measurement in measured.items():
        assert measurement.complexity == count(given_networks[name], (16, 24))
        assert measurement.conditions == TARGET.conditions
        assert measurement.runtime.median_ms > 0
        assert (measurement.reference_ms, measurement.quality) == (None, None)


def test_every_measurement_has_the_median_of_the_reference() -> None:
    measured = measure(networks(), TARGET, QUICK, reference="plain")
    assert {measurement.reference_ms for measurement in measured.values()} == {measured["plain"].runtime.median_ms}


def test_a_reference_that_is_not_measured_is_an_error() -> None:
    with pytest.raises(KeyError, match="other"):
        measure(networks(), TARGET, QUICK, reference="other")


def test_what_is_measured_stays_as_it_is() -> None:
    given_networks = networks()
    before = copy.deepcopy({name: network.state_dict() for name, network in given_networks.items()})
    measure(given_networks, TARGET, QUICK, reference="branched")
    for name, network in given_networks.items():
        state = network.state_dict()
        assert list(state) == list(before[name])
        assert all(torch.equal(tensor, before[name][key]) for key, tensor in state.items())
        assert all(tensor.stride() == before[name][key].stride() for key, tensor in state.items())
        assert all(module.training and not module._forward_hooks for module in network.modules())


def test_no_network_gives_no_measurement() -> None:
    assert measure({}, TARGET, QUICK) == {}
