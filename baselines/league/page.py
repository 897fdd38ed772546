"""The page of a league: for every length of training the plots and the table, and what predicts runtime."""

import html
from dataclasses import replace

from baselines.league.cells import correlation_line, headings, place_lines, rows, verdict_lines
from baselines.league.standings import Standing, Standings, psnr
from sr.files import StrPath, write_text
from sr.report.charts import BARS, PSNR, RUNTIME, Look, chart, dataset, point_values
from sr.report.page import Point, document, section, table

# How networks are drawn by where they come from.
_LOOKS = {
    "hand-designed": Look("designed by hand", "diamond", "vermilion", 6, 1, named=True),
    "pruned": Look("pruned", "circle", "blue", 5.5, 2, named=True),
    "searched": Look("searched", "star", "green", 10, 3, named=True, strong=True),
}

_WHAT_IT_MEANS = "<p>1: sorting the networks by it is sorting them by runtime; 0: no relation.</p>"


def write_page(path: StrPath, standings: Standings) -> None:
    """Write the page, self-contained, the longest trainings first."""
    body = ""
    for steps in reversed(standings.lengths):
        for val in standings.val:
            points = _points(standings, steps, val)
            if points:
                body += section(f"{val} after {steps:,} steps: PSNR over RGB", "", _plot(points, standings, steps, val))
        lines = rows(standings, steps)
        classes = ["chosen" if line[1] == "searched" else "" for line in lines]
        verdict = html.escape(" ".join(verdict_lines(standings, steps)))
        body += section(f"After {steps:,} steps", verdict, table(headings(standings), lines, classes))
    body += section("What predicts runtime", html.escape(correlation_line(standings)), _WHAT_IT_MEANS)
    title = f"x{standings.scale} super-resolution within {standings.budget_ms:g} ms: networks trained alike"
    write_text(path, document(title, place_lines(standings), body, kicker="A league by ParetoSR", draws=True))


def _plot(points: list[tuple[str, Point]], standings: Standings, steps: int, val: str) -> str:
    """Return the plot of one set of pictures after one length of training."""
    data = f"{val} {steps}"
    values = [point_values(point, kind=kind) for kind, point in points]
    title = f"PSNR on {val} after {steps:,} steps against runtime"
    notes = [BARS, "upright bars: the standard deviation over seeds"]
    return dataset(data, values, _LOOKS) + chart(
        title, data, RUNTIME, PSNR, budget_ms=standings.budget_ms, bars=True, opens=True, height=560, notes=notes
    )


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
