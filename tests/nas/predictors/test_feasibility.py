"""Predicted feasibility: what is not known may always be within the budget, the rest up to the margin over it."""

import pytest
import torch

from nas.predictors.feasibility import MARGIN, has_free_width, is_predicted_feasible
from nas.predictors.latency_entries import entries_of, work_of
from nas.predictors.latency_table import LatencyTable
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import repeated
from sr.measure.timing_cache import TimingCache, Timings

SMALL, UNKNOWN = repeated(8, "branched_conv", 1), repeated(16, "branched_conv", 1)


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return table_of({SMALL: 1.0})


def table_of(factors: dict[Architecture, float]) -> LatencyTable:
    """Return a table that knows some networks, each as slow as its work times a factor."""
    cache = TimingCache("entries", torch.device("cpu"), "float32", None)
    keys = {
        f"{each.name} {each.num_feat}ch 16x16": factor * work_of(each) / 1e5
        for network, factor in factors.items()
        for each in entries_of(network)
    }
    ms = {f"{key} {layout}": ms for key, ms in keys.items() for layout in ("contiguous", "channels_last")}
    cache.remember(Timings(1.0, ms))
    return LatencyTable(cache, (16, 16))


@pytest.mark.parametrize(("share", "feasible"), [(1.0, True), (1.001, True), (0.999, False)])
def test_prediction_up_to_the_margin_over_the_budget_is_feasible(
    share: float, feasible: bool, table: LatencyTable
) -> None:
    divisor = 1.0 if share == 1.0 else MARGIN
    assert is_predicted_feasible(table, SMALL, share * table.predict(SMALL) / divisor) is feasible


def test_unknown_network_is_feasible_and_is_not_measured_for_it(table: LatencyTable) -> None:
    assert is_predicted_feasible(table, UNKNOWN, 1e-9)
    assert not table.knows(UNKNOWN)


@pytest.mark.parametrize(("factor", "free"), [(1.0, False), (0.3, True)])
def test_width_is_free_where_the_next_one_takes_no_longer(factor: float, free: bool) -> None:
    wider = repeated(12, "branched_conv", 1)
    table = table_of({SMALL: 1.0, wider: factor})
    assert has_free_width(table, SMALL, (8, 12, 16)) is free
    # 16 is not known, and beyond the last there is none.
    assert not has_free_width(table, wider, (8, 12, 16))
    assert not has_free_width(table, wider, (8, 12))
