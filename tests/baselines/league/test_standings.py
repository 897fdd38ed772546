"""What a league came to, in figures."""

from dataclasses import replace

import pytest

from baselines.league.standings import Spread, Standings, psnr


def test_spread_is_the_standard_deviation_over_seeds() -> None:
    assert Spread.of([25.0, 26.0, 27.0]) == Spread(26.0, 1.0, 3)
    assert Spread.of([25.0]) == Spread(25.0, 0.0, 1)


def test_networks_are_ranked_by_their_mean_on_the_last_pictures(standings: Standings) -> None:
    assert [each.title for each in standings.ranked(100)] == ["span 28", "searched <a>", "ecbsr 16", "pruned p"]
    assert standings.ranked(400) == []
    assert standings.lengths == [100]


def test_the_budget_is_kept_to_but_for_the_noise(standings: Standings) -> None:
    assert [standings.within(each) for each in standings.standings] == [True, False, True, True]
    assert not replace(standings, budget_ms=36.0).within(standings.standings[0])


def test_failed_trainings_have_no_part_in_the_mean(standings: Standings) -> None:
    standing = standings.standings[0]
    failed = replace(standing.results[0], quality={}, failure="the loss is nan")
    standing = replace(standing, results=(failed, standing.results[1]))
    assert standing.spread(100, "Set14", psnr) == Spread(25.6, 0.0, 1)


def test_counts_are_correlated_with_the_runtime_over_all(standings: Standings) -> None:
    found = standings.correlations()
    assert list(found) == ["params", "FLOPs", "activations", "memory", "multi-adds"]
    assert found["params"] == pytest.approx(1)
    assert found["activations"] == pytest.approx(-1)


def test_figures_are_json(standings: Standings) -> None:
    values = standings.to_json()
    assert [each["title"] for each in values["networks"]][:2] == ["ecbsr 16", "span 28"]
    assert values["networks"][0]["results"][1]["quality"]["Set14"]["psnr"] == 25.6
    assert "scale" not in values
    assert replace(standings, scale=2).to_json()["scale"] == 2
