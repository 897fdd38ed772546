"""The table of a league in words."""

from dataclasses import replace

from baselines.league.cells import correlation_line, headings, markdown, rows, verdict_lines
from baselines.league.standings import Standings
from sr.measure.quality import Quality


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


def test_the_verdict_compares_with_the_best_by_hand_within_the_budget(standings: Standings) -> None:
    assert verdict_lines(standings, 100) == [
        "On Set14 after 100 steps searched <a> is 0.200 dB better than ecbsr 16, the best designed by hand within 40 "
        "ms; over brightness (Y) it is 0.200 dB better than ecbsr 16.",
        "On Set14 after 100 steps pruned p is 0.150 dB worse than ecbsr 16, the best designed by hand within 40 ms; "
        "over brightness (Y) it is 0.150 dB worse than ecbsr 16.",
    ]
    assert verdict_lines(replace(standings, budget_ms=10.0), 100) == []


def test_a_difference_that_seeds_make_too_is_said_to_be_one(standings: Standings) -> None:
    ours = next(each for each in standings.standings if each.kind == "searched")
    nearer = [
        replace(each, quality={"Set14": Quality(25.56 + 0.1 * each.seed, 27.55, 0.7, 14)}) for each in ours.results
    ]
    close = replace(standings, standings=(standings.standings[0], replace(ours, results=tuple(nearer))))
    (line,) = verdict_lines(close, 100)
    assert "0.060 dB better than ecbsr 16 (less than its trainings differ by), the best" in line
    assert line.endswith("over brightness (Y) it is as good as ecbsr 16.")


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
