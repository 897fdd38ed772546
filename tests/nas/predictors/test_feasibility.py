"""How far predictions are trusted, and widths that cost nothing."""

from dataclasses import replace

import pytest

from nas.predictors.feasibility import expected_error, has_free_width
from nas.predictors.latency import LatencyPredictor, PredictionError
from search_spaces.msrresnet import repeated
from sr.measure.latency_model import LatencyModel

SIZE = (16, 24)


def device(channel_step: int, networks: int = 1) -> LatencyPredictor:
    """Return what predicts for a device whose convolutions alone take time."""
    model = LatencyModel(channel_step, (10.0, 10.0, 10.0, *[0.0] * 7), networks)
    return LatencyPredictor(SIZE, model, model)


@pytest.mark.parametrize(("median", "expected"), [(None, 0.25), (0.5, 0.25), (0.1, 0.1), (0.001, 0.03)])
def test_error_is_the_median_within_what_is_likely(median: float | None, expected: float) -> None:
    unseen = None if median is None else PredictionError(9, median, 2 * median, 0.9, 0.8)
    assert expected_error(replace(device(8), unseen=unseen)) == expected


@pytest.mark.parametrize(
    ("channel_step", "num_feat", "free"),
    [(8, 12, True), (8, 16, False), (8, 20, True), (16, 24, True), (16, 20, True), (4, 12, False), (1, 12, False)],
)
def test_width_between_the_steps_of_an_engine_has_a_free_one_above_it(
    channel_step: int, num_feat: int, free: bool
) -> None:
    network = repeated(num_feat, "residual_leaky", 4)
    assert has_free_width(device(channel_step), network, (8, 12, 16, 20, 24, 32)) is free


def test_widest_and_unknown_devices_have_no_free_width() -> None:
    network = repeated(12, "residual_leaky", 4)
    assert not has_free_width(device(8), network, (8, 12))
    assert not has_free_width(device(8), network, ())
    assert not has_free_width(device(8, networks=0), network, (8, 12, 16))
