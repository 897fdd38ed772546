"""What a search comes to, as values."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.evaluate import Setup
from nas.finalize import Chosen, Finalist
from nas.result import SearchResult
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET, repeated
from search_spaces.network import build
from sr.checkpoint import Checkpoint, Description, save
from sr.errors import InputError
from sr.measure.quality import Quality

Outcome = Callable[[int, Architecture], Trial]
SMALL = repeated(8, "branched_conv", 1)


@pytest.fixture
def outcomes(outcome: Outcome) -> tuple[Trial, ...]:
    return outcome(1, repeated(16, "branched_conv", 4)), outcome(0, SMALL), outcome(2, MSRRESNET)


@pytest.fixture
def result(outcomes: tuple[Trial, ...], setup: Setup, tmp_path: Path) -> SearchResult:
    trial = outcomes[1]
    assert trial.measurement is not None
    finalist = Finalist(trial, trial.measurement, {})
    chosen = Chosen(
        finalist, setup.recipe, trial.measurement, Quality(24.0, 25.0, None, 3), {"torch": trial.measurement.runtime}
    )
    return SearchResult(tmp_path, 100.0, outcomes, chosen, ("Chosen: trial 0.",))


@pytest.fixture
def nothing(outcomes: tuple[Trial, ...], tmp_path: Path) -> SearchResult:
    return SearchResult(tmp_path, 100.0, outcomes[2:], None, ("nothing meets the budget of 100 ms.",))


def test_frames_have_trials_by_number_and_the_front_by_psnr(result: SearchResult) -> None:
    assert result.trials["number"].tolist() == [0, 1, 2]
    assert result.trials["state"].tolist() == ["trained", "trained", "infeasible"]
    assert result.front["number"].tolist() == [1, 0]
    assert result.trials.columns.tolist() == result.front.columns.tolist()


def test_chosen_network_comes_with_its_description_and_measurement(result: SearchResult) -> None:
    assert result.chosen is not None
    assert result.architecture == SMALL
    assert result.measurement == result.chosen.measurement
    assert result.to_json() == result.measurement.to_json() | {"architecture": SMALL.to_json()}


def test_chosen_network_is_read_from_its_checkpoint(result: SearchResult) -> None:
    network = build(SMALL)
    save(
        result.folder / "chosen" / "network.pth",
        Checkpoint(Description("searched", SMALL.to_json()), network.state_dict()),
    )
    weights = result.network.state_dict()
    assert not result.network.training
    assert all(torch.equal(weights[name], tensor) for name, tensor in network.state_dict().items())


def test_budget_is_met_by_the_p90_of_the_chosen_network(result: SearchResult, outcomes: tuple[Trial, ...]) -> None:
    assert result.meets_budget
    p90_ms = result.measurement.runtime.p90_ms
    tight = SearchResult(result.folder, 0.99 * p90_ms, outcomes, result.chosen, ())
    assert not tight.meets_budget
    # On a device that was never calm it is what the runtime stands for when it is.
    assert result.chosen is not None
    for calm_p90_ms, meets in ((0.98 * p90_ms, True), (p90_ms, False)):
        unsteady = replace(result.chosen, calm_p90_ms=calm_p90_ms)
        assert replace(tight, chosen=unsteady).meets_budget is meets


def test_result_without_a_choice_has_trials_and_says_why(nothing: SearchResult) -> None:
    assert not nothing.meets_budget
    assert nothing.trials["number"].tolist() == [2]
    assert nothing.front.empty
    for ask in (
        lambda: nothing.architecture, lambda: nothing.measurement, lambda: nothing.network, nothing.to_json,
    ):  # fmt: skip
        with pytest.raises(InputError, match="nothing meets the budget of 100 ms"):
            ask()
