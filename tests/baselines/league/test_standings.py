"""What a league came to, in figures."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.league.record import Result
from baselines.league.standings import Spread, Standing, Standings, psnr
from sr.checkpoint import Description
from sr.measure.complexity import Complexity
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.quality import Quality
from sr.measure.target import Conditions

NUMBERS, COUNTS, TEXTS = st.floats(-1e6, 1e6), st.integers(1, 10**12), st.text(max_size=9)
QUALITIES = st.builds(Quality, NUMBERS, NUMBERS, st.none() | NUMBERS, COUNTS)
RESULTS = st.builds(
    Result, COUNTS, COUNTS, NUMBERS, NUMBERS, st.dictionaries(TEXTS, QUALITIES, max_size=2), unsolved=TEXTS,
    failure=TEXTS,
)  # fmt: skip
RUNTIMES = st.builds(Runtime, NUMBERS, NUMBERS, NUMBERS, COUNTS, reliable=st.booleans(), memory_format=TEXTS)
PLACES = st.builds(Conditions, TEXTS, TEXTS, TEXTS, COUNTS, st.tuples(COUNTS, COUNTS), TEXTS)
MEASUREMENTS = st.builds(
    Measurement, st.builds(Complexity, *[COUNTS] * 6), RUNTIMES, PLACES, st.none() | NUMBERS, st.none() | QUALITIES
)
NETWORKS = st.builds(
    Standing, TEXTS, st.sampled_from(["hand-designed", "searched", "pruned"]), MEASUREMENTS,
    st.lists(RESULTS, max_size=2).map(tuple),
    st.none() | st.builds(Description, TEXTS, st.dictionaries(TEXTS, COUNTS | TEXTS, max_size=2)),
)  # fmt: skip
LEAGUES = st.builds(
    Standings, NUMBERS, st.lists(TEXTS, max_size=2).map(tuple), st.dictionaries(TEXTS, QUALITIES, max_size=2),
    st.lists(NETWORKS, max_size=3).map(tuple), st.sampled_from([2, 3, 4]),
)  # fmt: skip


def test_spread_is_the_standard_deviation_over_seeds() -> None:
    assert Spread.of([25.0, 26.0, 27.0]) == Spread(26.0, 1.0, 3)
    assert Spread.of([25.0]) == Spread(25.0, 0.0, 1)


def test_networks_are_ranked_by_their_mean_on_the_last_pictures(standings: Standings) -> None:
    assert [each.title for each in standings.ranked(100)] == ["span 28", "searched <a>", "ecbsr 16", "pruned p"]
    assert standings.ranked(400) == []
    assert (standings.lengths, standings.main_length) == ([100], 100)
    assert replace(standings, standings=()).main_length == 0


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


@settings(deadline=None, max_examples=40)
@given(LEAGUES)
def test_standings_are_read_from_json_as_they_were(league: Standings) -> None:
    assert Standings.from_json(json.loads(json.dumps(league.to_json()))) == league


def test_what_are_no_standings_is_refused(standings: Standings) -> None:
    values = json.loads(json.dumps(standings.to_json()))
    with pytest.raises(KeyError):
        Standings.from_json({name: value for name, value in values.items() if name != "val"})
    with pytest.raises(TypeError, match="budget-ms must be a number"):
        Standings.from_json(values | {"budget_ms": "40"})
    values["networks"][0]["kind"] = "found"
    with pytest.raises(TypeError, match="hand-designed, searched, pruned, got 'found'"):
        Standings.from_json(values)


def test_what_keeps_to_the_budget_is_judged_at_calm_speed(standings: Standings) -> None:
    """The reference took 20 ms beside all of them."""
    over = next(each for each in standings.standings if not standings.within(each))
    factor = over.measurement.runtime.p90_ms / standings.budget_ms
    slowed = replace(standings, calm_ms=20.0 / factor)
    assert slowed.within(over)
    assert slowed.slowdown(over) == pytest.approx(factor)
    assert not replace(standings, calm_ms=20.0 / (factor / 1.1)).within(over)
    # A device that is faster than it was known to be is no excuse.
    assert replace(standings, calm_ms=1000.0).slowdown(over) == 1.0
    assert Standings.from_json(json.loads(json.dumps(slowed.to_json()))) == slowed
