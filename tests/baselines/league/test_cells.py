"""The table of a league in words."""

from dataclasses import replace

from baselines.league.cells import headings, markdown, rows
from baselines.league.standings import Standings
from baselines.league.verdict import correlation_line


def test_rows_are_as_wide_as_the_headings_and_end_in_bicubic(standings: Standings) -> None:
    found = rows(standings, 100)
    assert {len(row) for row in found} == {len(headings(standings))}
    assert [row[0] for row in found] == ["span 28", "searched <a>", "ecbsr 16", "pruned p", "bicubic"]
    by_title = {row[0]: dict(zip(headings(standings), row, strict=True)) for row in found}
    assert by_title["ecbsr 16"]["Set14 RGB"] == "25.55 \N{PLUS-MINUS SIGN} 0.07"
    assert by_title["pruned p"]["Set14 RGB"] == "25.40"
    assert by_title["span 28"]["note"] == "over the budget"
    assert by_title["pruned p"]["note"] == "its own weights trained on"
    assert by_title["searched <a>"]["runtime (ms)"] == "36.0 ?"


def test_a_network_whose_trainings_failed_is_listed_without_psnr(standings: Standings) -> None:
    first = standings.standings[0]
    results = tuple(replace(each, quality={}, failure="the loss is nan") for each in first.results)
    failed = replace(standings, standings=(replace(first, results=results), *standings.standings[1:]))
    row = next(row for row in rows(failed, 100) if row[0] == "ecbsr 16")
    assert row[-1] == "2 trainings failed"
    assert row[7:10] == ("-", "-", "-")


def test_markdown_has_a_table_for_each_length_the_longest_first(standings: Standings) -> None:
    longer = tuple(
        replace(each, results=(*each.results, replace(each.results[0], steps=400))) for each in standings.standings
    )
    text = markdown(replace(standings, standings=longer))
    assert text.index("## 400 steps") < text.index("## 100 steps")
    assert text.count("| bicubic |") == 2
    assert "a device, 2 threads, torch, float32, LR 256x256" in text
    assert correlation_line(standings) in text


def test_the_scale_is_said_where_it_is_not_the_usual_one(standings: Standings) -> None:
    assert markdown(standings).startswith("# Networks within 40 ms")
    assert markdown(replace(standings, scale=2)).startswith("# x2 networks within 40 ms")
