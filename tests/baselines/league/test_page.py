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
    assert "searched &lt;a&gt; is 0.200 dB better than ECBSR 16" in text
    assert '"budget":40' in text
    assert "<a>" not in text.split("</script>")[-1]


def test_the_page_of_a_league_without_results_says_what_predicts_runtime(standings: Standings, tmp_path: Path) -> None:
    empty = tuple(replace(each, results=()) for each in standings.standings)
    write_page(tmp_path / "league.html", replace(standings, standings=empty))
    text = (tmp_path / "league.html").read_text()
    assert "Nothing has been trained yet." in text
    assert "What predicts runtime: 4 networks" in text
    assert "<td>params</td><td>1.00</td>" in text
    assert "<td>activations</td><td>-1.00</td>" in text


def test_the_page_says_the_scale_and_who_is_ahead(standings: Standings, tmp_path: Path) -> None:
    write_page(tmp_path / "league.html", replace(standings, scale=2))
    text = (tmp_path / "league.html").read_text(encoding="utf-8")
    assert "<h1>\N{MULTIPLICATION SIGN}2 super-resolution within 40\N{NO-BREAK SPACE}ms" in text
    assert (
        "After 100 training steps searched &lt;a&gt; is the best on Set14 within the budget: 25.75 dB in 36.0 ms; of "
        "those designed by hand it is ecbsr 16, 25.55 dB in 35.0 ms. Bicubic interpolation comes to 24.50 dB." in text
    )
    write_page(tmp_path / "league.html", replace(standings, budget_ms=1.0))
    text = (tmp_path / "league.html").read_text(encoding="utf-8")
    assert "No network that keeps to 1 ms here has been trained for 100 steps." in text
