"""The correction of predicted runtimes: one factor where samples are few, and never beyond what was seen."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.predictors.latency_correction import (
    _FEWEST_NETWORKS,
    Sums,
    correction_features,
    factor_by_features,
    one_factor,
)
from search_spaces.architecture import Architecture, Block
from search_spaces.msrresnet import repeated


def test_one_factor_is_the_median_whatever_the_features() -> None:
    correction = one_factor([(0.0,), (1.0,), (2.0,)], [math.log(2), math.log(3), math.log(9)])
    assert [correction.factor([value]) for value in (0.0, 50.0)] == pytest.approx([3.0, 3.0])


def test_few_samples_give_one_factor() -> None:
    rows = [(float(value),) for value in range(_FEWEST_NETWORKS)]
    few = factor_by_features(rows[:-1], [row[0] for row in rows[:-1]])
    assert few == one_factor(rows[:-1], [row[0] for row in rows[:-1]])
    assert factor_by_features(rows, [row[0] for row in rows]).ridge is not None


def test_enough_samples_show_what_the_factor_follows() -> None:
    rows = [(float(value), float(value % 2)) for value in range(40)]
    correction = factor_by_features(rows, [0.01 * first for first, _ in rows])
    assert correction.factor((20.5, 0.0)) == pytest.approx(math.exp(0.205), rel=0.01)


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=12),
    st.lists(st.floats(-9, 9), max_size=2),
)
@settings(max_examples=30)
def test_factor_never_goes_beyond_the_samples(rows: list[tuple[float, float]], far: list[float]) -> None:
    log_ratios = [first - second for first, second in rows]
    factor = factor_by_features(rows, log_ratios).factor([*far, 0.0, 0.0][:2])
    assert min(log_ratios) - 1e-9 <= np.log(factor) <= max(log_ratios) + 1e-9


def test_features_say_size_depth_shares_and_whether_tensors_are_large() -> None:
    sums = Sums(8.0, 4.0, 2.0)
    padded = Architecture(16, (Block("identity"), Block("idle"), Block("idle")))
    assert correction_features(padded, sums) == pytest.approx([math.log(8), math.log(3), 0.5, 0.25, 0.0])
    assert correction_features(repeated(16, "idle", 2, upsampler="two_step"), sums)[-1] == 1.0
