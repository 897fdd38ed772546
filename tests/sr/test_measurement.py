import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr.complexity import Complexity
from sr.latency import Conditions, Runtime
from sr.measurement import Measurement
from sr.quality import Quality

COUNT = st.integers(0, 2**50)
MILLISECONDS = st.floats(1e-6, 1e9)
DECIBELS = st.floats(allow_nan=False, allow_infinity=False)

MEASUREMENTS = st.builds(
    Measurement,
    st.builds(Complexity, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT),
    st.builds(Runtime, MILLISECONDS, MILLISECONDS, MILLISECONDS, COUNT, st.booleans(), st.text(), COUNT),
    st.builds(Conditions, st.text(), st.text(), st.text(), COUNT, st.tuples(COUNT, COUNT), st.text()),
    MILLISECONDS,
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
