"""The page of a league: for every length of training the plots and the table, and what predicts runtime."""

import html
from dataclasses import replace

from baselines.league.cells import correlation_line, headings, place_lines, rows, verdict_lines
from baselines.league.standings import Standing, Standings, psnr
from sr.files import StrPath, write_text
from sr.report.figures import embedded
from sr.report.league_figure import league_figure, league_key
from sr.report.page import Point, document, section, table


def write_page(path: StrPath, standings: Standings) -> None:
    """Write the page, self-contained, the longest trainings first."""
    body, first = "", True
    for steps in reversed(standings.lengths):
        for val in standings.val:
            points = _points(standings, steps, val)
            if points:
                figure = league_figure(points, standings.budget_ms)
                key = league_key([origin for origin, _ in points])
                body += section(f"{val} after {steps:,} steps: PSNR over RGB", key, embedded(figure, first=first))
                first = False
        lines = rows(standings, steps)
        classes = ["chosen" if line[1] == "searched" else "" for line in lines]
        verdict = html.escape(" ".join(verdict_lines(standings, steps)))
        body += section(f"After {steps:,} steps", verdict, table(headings(standings), lines, classes))
    body += section("What predicts runtime", correlation_line(standings), "")
    title = f"x4 super-resolution within {standings.budget_ms:g} ms: networks trained alike"
    write_text(path, document(title, place_lines(standings), body))


def _points(standings: Standings, steps: int, val: str) -> list[tuple[str, Point]]:
    """Return what is drawn: where each network comes from, and its point with the mean and the spread over seeds."""
    return [(each.kind, point) for each in standings.standings if (point := _point(each, steps, val)) is not None]


def _point(standing: Standing, steps: int, val: str) -> Point | None:
    """Return the point of a network, None where it has no PSNR on these pictures."""
    spread = standing.spread(steps, val, psnr)
    if spread is None:
        return None
    point = Point.of(_short(standing.title), standing.measurement, "reference", standing.title)
    return replace(point, psnr=spread.mean, psnr_spread=spread.deviation)


def _short(title: str) -> str:
    """Return a title without the names of its numbers and without what is none: there is little room in a plot."""
    name, *sizes = title.split()
    numbers = [value for _, _, value in (size.partition("=") for size in sizes) if value.isdecimal()]
    return f"{name} {'-'.join(numbers)}" if numbers else title
