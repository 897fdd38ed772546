"""The page of a league."""

from dataclasses import replace
from pathlib import Path

from baselines.league.page import write_page
from baselines.league.standings import Standings


def test_the_page_draws_and_lists_every_length(standings: Standings, tmp_path: Path) -> None:
    longer = tuple(
        replace(each, results=(*each.results, replace(each.results[0], steps=400))) for each in standings.standings
    )
    write_page(tmp_path / "league.html", replace(standings, standings=longer))
    text = (tmp_path / "league.html").read_text()
    assert "Set14 after 400 steps: PSNR over RGB" in text
    assert "Set14 after 100 steps: PSNR over RGB" in text
    assert "searched &lt;a&gt; is +0.200 dB" in text
    assert '"budget":40' in text
    assert "<a>" not in text.split("</script>")[-1]


def test_the_page_of_a_league_without_results_says_what_predicts_runtime(standings: Standings, tmp_path: Path) -> None:
    empty = tuple(replace(each, results=()) for each in standings.standings)
    write_page(tmp_path / "league.html", replace(standings, standings=empty))
    assert "rank correlation with the runtime over 4 networks" in (tmp_path / "league.html").read_text()


def test_the_page_says_the_scale(standings: Standings, tmp_path: Path) -> None:
    write_page(tmp_path / "league.html", replace(standings, scale=3))
    assert "x3 super-resolution within 40 ms" in (tmp_path / "league.html").read_text()
