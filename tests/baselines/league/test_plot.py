"""The plot of a league as SVG."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from baselines.league.plot import league_svg
from baselines.league.standings import Standing, Standings
from sr.errors import InputError

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    """Return what is written in a plot."""
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_every_network_is_named_beside_the_budget(standings: Standings) -> None:
    found = texts(league_svg(standings))
    assert {"ECBSR 16", "SPAN 28", "searched <a>", "pruned p", "budget 40 ms"} <= set(found)
    assert {"runtime in torch (ms)", "PSNR over RGB on Set14 after 100 steps (dB)"} <= set(found)
    assert "faint: over the budget; bars: \N{PLUS-MINUS SIGN} over seeds" in found


def test_the_budget_stands_where_runtimes_were_taken(standings: Standings) -> None:
    slowed = [replace(each, measurement=replace(each.measurement, reference_ms=10.0)) for each in standings.standings]
    slow = replace(standings, standings=tuple(slowed), calm_ms=8.0)
    assert slow.drawn_budget() == (50.0, "budget 40 ms at calm speed")
    assert standings.drawn_budget() == (40.0, "budget 40 ms")
    assert "budget 40 ms at calm speed" in texts(league_svg(slow))


def test_what_ended_below_interpolation_is_left_out_and_said(standings: Standings) -> None:
    failed = replace(standings, bicubic={"Set14": replace(standings.bicubic["Set14"], psnr=25.5)})
    found = texts(league_svg(failed))
    assert "pruned p" not in found
    assert "SPAN 28" in found
    assert any(text.endswith("1 below bicubic left out") for text in found)
    # Nothing would be left.
    none = replace(standings, bicubic={"Set14": replace(standings.bicubic["Set14"], psnr=30.0)})
    assert "pruned p" in texts(league_svg(none))


def test_each_kind_has_a_shape_and_a_colour_of_its_own(standings: Standings) -> None:
    root = ElementTree.fromstring(league_svg(standings))
    corners = [(len(each.get("points", "").split()), each.get("fill")) for each in root.iter(f"{SVG}polygon")]
    circles = [each.get("fill") for each in root.iter(f"{SVG}circle")]
    # One of each stands in the legend.
    assert sorted(corners) == [(4, "#D55E00")] * 3 + [(10, "#009E73")] * 2
    assert circles == ["#0072B2"] * 2


def test_bars_stand_where_seeds_differ(standings: Standings) -> None:
    assert league_svg(standings).count('class="bar"') == 2
    once = tuple(replace(each, results=each.results[:1]) for each in standings.standings)
    svg = league_svg(replace(standings, standings=once))
    assert 'class="bar"' not in svg
    assert "faint: over the budget" in texts(svg)


def test_names_of_a_crowd_all_find_room_inside(standings: Standings) -> None:
    crowd = tuple(crowded(standings.standings[0], number) for number in range(24))
    svg = league_svg(replace(standings, standings=crowd))
    assert {f"ECBSR {number}-8" for number in range(24)} <= set(texts(svg))
    assert svg == league_svg(replace(standings, standings=crowd))


def crowded(standing: Standing, number: int) -> Standing:
    """Return one of many networks that lie near each other."""
    runtime = replace(standing.measurement.runtime, median_ms=30.0 + 7 * number % 11, p90_ms=39.0 + number % 8)
    results = [
        replace(each, quality={"Set14": replace(each.quality["Set14"], psnr=25.5 + 0.013 * (5 * number % 24))})
        for each in standing.results
    ]
    measurement = replace(standing.measurement, runtime=runtime)
    return replace(
        standing, title=f"ecbsr num_feat={number} num_block=8", measurement=measurement, results=tuple(results)
    )


def test_a_league_in_which_nothing_was_trained_has_no_plot(standings: Standings) -> None:
    empty = tuple(replace(each, results=()) for each in standings.standings)
    with pytest.raises(InputError, match="takes at least one network that was trained"):
        league_svg(replace(standings, standings=empty))
