"""What a search would cost: its lines by hand, and one small candidate measured."""

import math
from pathlib import Path

import pytest

from nas.config.measurement_plan import MeasurementPlan
from nas.config.search import SearchConfig
from nas.cost_estimate import CostEstimate, estimate_cost
from nas.time_budget import TimeBudget
from sr.progress import Event, Message


def estimate_of(time_budget: TimeBudget) -> CostEstimate:
    return CostEstimate("8ch 1x idle", 12.34, 0.05, 400, time_budget)


def test_limited_search_is_described_by_its_shares() -> None:
    assert estimate_of(TimeBudget(600.0, None)).trial_seconds == pytest.approx(20.0)
    network, trained, shares = estimate_of(TimeBudget(600.0, None)).describe()
    assert network == "8ch 1x idle: 12.3 ms, 50.0 ms a training step"
    assert trained == "a trained candidate takes 20 s at this size, longer where it is larger"
    assert "trained candidates), then 4 m 19 s of training the chosen; 10 m 00 s in all" in shares


def test_search_of_so_many_trials_is_described_by_them() -> None:
    *_, last = estimate_of(TimeBudget(math.inf, 30)).describe()
    assert last == "30 trials, 10 m 00 s if all are trained"
    assert len(estimate_of(TimeBudget(math.inf, None)).describe()) == 2


def test_estimate_measures_one_small_candidate_and_writes_nothing(plan: MeasurementPlan, tmp_path: Path) -> None:
    events: list[Event] = []
    config = SearchConfig(
        budget_ms=60_000.0, out=tmp_path / "out", lr_size=(24, 32), batch=2, patch=8, device="cpu", trials=3,
        trial_steps=16, engine="torch",
    )  # fmt: skip
    estimate = estimate_cost(config, report=events.append, plan=plan)
    assert estimate.runtime_ms > 0
    assert estimate.step_seconds > 0
    assert (estimate.trial_steps, estimate.time_budget.trials) == (16, 3)
    assert estimate.describe()[-1].startswith("3 trials, ")
    assert [event.text.partition(" ")[0] for event in events if isinstance(event, Message)] == [
        "space", "budget", "pictures:",
    ]  # fmt: skip
    assert not (tmp_path / "out").exists()
