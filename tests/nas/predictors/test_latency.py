"""Predicted runtimes of searched networks: what they learn from those that were measured, and how honest they are."""

import random
import statistics
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.predictors.latency import (
    LatencyPredictor,
    PredictionError,
    Sample,
    at_one_speed,
    describe,
    prediction_error,
)
from search_spaces.architecture import Architecture
from search_spaces.fast_work import work
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated
from sr.errors import InputError
from sr.measure.latency_model import USUAL, LatencyModel

SIZE = (16, 24)
FRESH = LatencyPredictor(SIZE)
# Of other costs than what is usual.
DEVICE = LatencyModel(4, (30.0, 20.0, 50.0, 4.0, 2.0, 3.0, 9.0, 3.0, 5.0, 10.0))


def drawn(count: int, seed: int = 0) -> list[Architecture]:
    rng = random.Random(seed)
    found = {one.key: one for one in (MSRRESNET_SPACE.decode(MSRRESNET_SPACE.sample(rng)) for _ in range(3 * count))}
    return list(found.values())[:count]


def taken_ms(architecture: Architecture) -> float:
    return DEVICE.predict(work(architecture, SIZE))


def samples(architectures: list[Architecture], factor: float = 1.0) -> list[Sample]:
    return [Sample(each, factor * taken_ms(each)) for each in architectures]


def test_nothing_measured_is_no_milliseconds() -> None:
    assert not FRESH.is_calibrated
    assert (FRESH.learned([]).is_calibrated, FRESH.unseen) == (False, None)
    assert FRESH.learned(samples(drawn(1))).is_calibrated
    assert LatencyPredictor(SIZE, DEVICE, replace(DEVICE, networks=3)).is_calibrated


def test_some_networks_tell_the_others() -> None:
    learned, unseen = FRESH.learned(samples(drawn(40))), drawn(40, seed=1)
    errors = [abs(learned.predict(each) / taken_ms(each) - 1) for each in unseen]
    assert statistics.median(errors) < 0.03
    assert learned.unseen is not None
    assert learned.unseen.networks == 40
    assert learned.unseen.median < 0.05
    assert learned.unseen.spearman is not None
    assert learned.unseen.spearman > 0.97


def test_what_was_learned_is_learned_anew_and_not_on_top() -> None:
    networks, unseen = drawn(8), drawn(5, seed=1)
    slow = FRESH.learned(samples(networks, factor=3.0))
    again = slow.learned(samples(networks))
    for each in unseen:
        assert again.predict(each) == FRESH.learned(samples(networks)).predict(each)
        assert slow.predict(each) == pytest.approx(3 * again.predict(each), rel=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.lists(st.floats(1e-2, 1e3), min_size=1, max_size=8))
def test_predictions_are_above_nothing_whatever_was_measured(seed: int, measured: list[float]) -> None:
    networks = drawn(len(measured), seed)
    learned = FRESH.learned([Sample(each, ms) for each, ms in zip(networks, measured, strict=True)])
    assert all(learned.predict(each) > 0 for each in (*networks, *drawn(3, seed + 1)))


def test_network_near_one_that_the_model_is_wrong_about_is_moved_towards_it() -> None:
    odd, near, far = (repeated(*each) for each in (
        (24, "residual_leaky", 8), (24, "residual_leaky", 9), (8, "branched_conv", 1),
    ))  # fmt: skip
    measured = samples(drawn(40))
    plain, moved = FRESH.learned(measured), FRESH.learned([*measured, Sample(odd, 1.3 * taken_ms(odd))])
    # Half of the way or more, and its neighbour a part of it.
    assert 1.1 < moved.predict(odd) / plain.predict(odd) < 1.3
    assert 1.03 < moved.predict(near) / plain.predict(near) < moved.predict(odd) / plain.predict(odd)
    assert moved.predict(far) == pytest.approx(plain.predict(far), rel=0.03)


def test_error_is_that_of_networks_that_a_fit_did_not_see() -> None:
    networks = drawn(5)
    assert FRESH.learned(samples(networks[:2])).unseen is None
    three = FRESH.learned(samples(networks[:3])).unseen
    assert three is not None
    assert three.networks == 3
    # By hand, each left out in turn.
    guesses = [
        FRESH.learned(samples([other for other in networks if other is not each])).predict(each) for each in networks
    ]
    assert FRESH.learned(samples(networks)).unseen == prediction_error(guesses, [taken_ms(each) for each in networks])


def test_error_of_many_networks_is_judged_by_parts() -> None:
    unseen = FRESH.learned(samples(drawn(27))).unseen
    assert unseen is not None
    assert unseen.networks == 27


def test_runtimes_are_brought_to_the_speed_of_the_median_reference() -> None:
    small = repeated(8, "branched_conv", 1)
    taken = [Sample(small, 10.0, 2.0), Sample(small, 30.0, 4.0), Sample(small, 20.0, 3.0), Sample(small, 7.0)]
    assert at_one_speed(taken) == pytest.approx([15.0, 22.5, 20.0, 7.0])
    assert at_one_speed([Sample(small, 7.0), Sample(small, 8.0)]) == [7.0, 8.0]
    assert at_one_speed([]) == []


def test_load_on_the_device_is_taken_out_by_the_reference() -> None:
    networks, loads = drawn(12), (1.0, 2.5, 1.0, 1.4)
    calm = [Sample(each, taken_ms(each), 5.0) for each in networks]
    busy = [
        Sample(each.architecture, load * each.runtime_ms, load * 5.0)
        for each, load in zip(calm, loads * 3, strict=True)
    ]
    usual = statistics.median(loads)
    for each in drawn(4, seed=1):
        assert FRESH.learned(busy).predict(each) == pytest.approx(usual * FRESH.learned(calm).predict(each), rel=1e-6)


@pytest.mark.parametrize(("runtime_ms", "reference_ms"), [(0.0, None), (float("nan"), 1.0), (1.0, -1.0)])
def test_time_that_is_none_is_refused(runtime_ms: float, reference_ms: float | None) -> None:
    with pytest.raises(InputError, match="a runtime is a number of milliseconds above 0, got "):
        Sample(repeated(8, "branched_conv", 1), runtime_ms, reference_ms)


def test_error_is_relative_to_what_was_measured() -> None:
    error = prediction_error([11.0, 18.0, 30.0], [10.0, 20.0, 30.0])
    assert (error.networks, error.median, error.spearman) == (3, pytest.approx(0.1), pytest.approx(1.0))
    assert error.tau == pytest.approx(1.0)
    assert error.p90 == pytest.approx(0.1)
    assert prediction_error([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]).spearman is None


def test_description_has_the_figures() -> None:
    assert describe(None) == "No predicted runtime was compared with a measured one."
    assert describe(PredictionError(7, 0.034, 0.081, 0.975, 0.9)) == (
        "Predicted runtimes were off by 3.4 % in the median and by at most 8.1 % in nine of ten cases, on 7 networks "
        "that the prediction had not seen; of two networks they named the faster in 95 % of cases."
    )
    assert "of two" not in describe(PredictionError(7, 0.034, 0.081, None, None))


def test_known_device_is_what_is_learned_from() -> None:
    """With one network of its own a new study predicts as well as the earlier one did, at the speed of today."""
    known = replace(DEVICE, networks=30)
    learned = LatencyPredictor(SIZE, known, known).learned(samples(drawn(1), factor=1.5))
    for each in drawn(5, seed=1):
        assert learned.predict(each) == pytest.approx(1.5 * taken_ms(each), rel=1e-6)
    assert USUAL.networks == 0
