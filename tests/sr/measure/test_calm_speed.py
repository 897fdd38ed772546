"""What a measurement stands for at calm speed."""

import pytest

from sr.measure.calm_speed import CalmSpeed
from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.target import Conditions

CALM = CalmSpeed(reference_ms=10.0, p90_factor=1.1)
PLACE = Conditions("device", "driver", "versions", 2, (64, 64), "float32")
COUNTED = Complexity(params=1, multi_adds=1, challenge_flops=1, activations=1, convs=1, memory=1)


def measured(median: float, p90: float, reference: float | None, *, reliable: bool = True) -> Measurement:
    return Measurement(COUNTED, Runtime(median, 0.9 * median, p90, 20, reliable, "contiguous"), PLACE, reference)


def test_faster_reference_than_ever_makes_nobody_slower() -> None:
    lucky = measured(35, 38, reference=5.0)
    assert CALM.slowdown(lucky) == 1.0
    assert CALM.calm_ms(lucky) == 35.0
    assert CALM.was_calm(lucky)


def test_reference_that_was_slowed_tells_how_much_faster_a_network_is_when_calm() -> None:
    slowed = measured(30, 60, reference=15.0)
    assert CALM.slowdown(slowed) == 1.5
    assert CALM.calm_ms(slowed) == 20.0
    # The lower of its own slowest runs and of how far those of others spread.
    assert CALM.calm_p90_ms(slowed) == pytest.approx(22.0)
    assert CALM.calm_p90_ms(measured(30, 31.5, reference=15.0)) == pytest.approx(21.0)
    assert not CALM.was_calm(slowed)


def test_without_a_reference_a_runtime_stands_as_it_was_taken() -> None:
    assert CALM.slowdown(measured(30, 33, reference=None)) == 1.0
    assert not CALM.was_calm(measured(30, 33, reference=None, reliable=False))
