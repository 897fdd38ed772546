"""What a search teaches: worked out by hand."""

from dataclasses import replace

import pytest

from nas.report.insights import (
    explained,
    growth,
    importances,
    kinds_by_position,
    runtime_correlations,
    values_tried,
)
from nas.report.run import Run
from sr.pareto import hypervolume


def test_a_parameter_that_decides_everything_explains_all() -> None:
    assert explained(["a", "a", "b", "b"], [1.0, 1.0, 2.0, 2.0]) == pytest.approx(1.0)


def test_a_parameter_that_says_nothing_explains_nothing() -> None:
    assert explained(["a", "b", "a", "b"], [1.0, 1.0, 2.0, 2.0]) == 0.0


def test_a_parameter_that_was_always_the_same_explains_nothing_known() -> None:
    assert explained(["a", "a"], [1.0, 2.0]) is None
    assert explained(["a", "b"], [1.0, 2.0]) is None, "no two of one value"


def test_runtimes_that_follow_activations_are_predicted_by_them(run: Run) -> None:
    assert runtime_correlations(run.measured)["activations"] == pytest.approx(1.0)
    assert runtime_correlations(run.measured[:2])["activations"] is None


def test_the_first_choice_named_matters_most_for_psnr(run: Run) -> None:
    found = importances(run.trained)
    shares = [each.psnr or 0.0 for each in found]
    assert shares == sorted(shares, reverse=True)
    assert importances(run.trained[:3]) == []


def test_shares_of_a_position_count_shallower_networks_as_empty(run: Run) -> None:
    two = [each for each in run.measured if each.number in (0, 3)]  # one residual_leaky, two idle
    assert kinds_by_position(two) == {"idle": [0.5, 0.5], "residual_leaky": [0.5, 0.0]}


def test_every_value_that_was_tried_is_counted(run: Run) -> None:
    widths = [each for each in values_tried(run) if each.parameter == "width (channels)"]
    assert sum(each.tried for each in widths) == len(run.measured)


def test_the_area_never_shrinks_and_is_that_of_the_front(run: Run) -> None:
    volumes = [each.volume for each in growth(run)]
    assert volumes == sorted(volumes)
    corner = (-min(each.psnr for each in run.trained[:8]), run.budget_ms)
    assert volumes[-1] == pytest.approx(hypervolume([(-each.psnr, each.runtime_ms) for each in run.trained], corner))
    assert growth(replace(run, trials=run.trials[:3])) == []
