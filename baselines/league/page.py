"""The page of a league: for every length of training the plots and the table, and what predicts runtime."""

import html
from dataclasses import replace

from baselines.league.cells import headings, place_lines, rows
from baselines.league.standings import Standing, Standings, psnr
from baselines.league.verdict import verdict_lines
from sr.files import StrPath, write_text
from sr.report.charts import BARS, PSNR, RUNTIME, Look, chart, csv_button, dataset, point_values
from sr.report.page import Point, digits, document, section, table
from sr.report.tables import meter_table

# How networks are drawn by where they come from.
LOOKS = {
    "hand-designed": Look("designed by hand", "diamond", "vermilion", 6, 1, named=True, far=True),
    "pruned": Look("pruned", "circle", "blue", 5.5, 2, named=True),
    "searched": Look("searched", "star", "green", 10, 3, named=True, strong=True),
}

_READ_IT = "Press a network to see its figures; shaded is what is over the budget."
_PREDICTS = (
    "1: sorting the networks by this count is sorting them by runtime; 0: no relation (Spearman's rank correlation). "
    "FLOPs is the count of the AIM 2020 challenge, multi-adds ours."
)


def write_page(path: StrPath, standings: Standings) -> None:
    """Write the page, self-contained, the longest trainings first."""
    body = ""
    for steps in reversed(standings.lengths):
        for val in standings.val:
            points = _points(standings, steps, val)
            if points:
                heading = f"{val} after {steps:,} steps: PSNR over RGB"
                body += section(heading, _READ_IT, _plot(points, standings, steps, val))
        lines = rows(standings, steps)
        classes = ["chosen" if line[1] == "searched" else "" for line in lines]
        verdict = "".join(f"<li>{html.escape(line)}</li>" for line in verdict_lines(standings, steps))
        compared = f'<ul class="plain">{verdict}</ul>' if verdict else ""
        body += section(f"After {steps:,} steps", "", compared + table(headings(standings), lines, classes))
    body += section(f"What predicts runtime: {len(standings.standings)} networks", _PREDICTS, _correlations(standings))
    scale = f"\N{MULTIPLICATION SIGN}{standings.scale}"
    title = f"{scale} super-resolution within {standings.budget_ms:g}\N{NO-BREAK SPACE}ms: networks trained alike"
    page = document(
        title, place_lines(standings), body, kicker="A league by ParetoSR", lead=_lead(standings), draws=True
    )
    write_text(path, page)


def _lead(standings: Standings) -> str:
    """Return in a sentence which network is the best within the budget after the longest training."""
    if not standings.lengths:
        return "Nothing has been trained yet."
    steps, val = standings.main_length, standings.val[-1]
    within = [each for each in standings.ranked(steps) if standings.within(each)]
    if not within:
        return f"No network that keeps to {standings.budget_ms:g} ms here has been trained for {steps:,} steps."
    best = within[0]
    by_hand = next((each for each in within if each.kind == "hand-designed"), None)
    said = f"After {steps:,} training steps {best.title} is the best on {val} within the budget: "
    said += _figures(best, steps, val)
    if by_hand is not None and by_hand is not best:
        said += f"; of those designed by hand it is {by_hand.title}, {_figures(by_hand, steps, val)}"
    return f"{said}. Bicubic interpolation comes to {standings.bicubic[val].psnr:.2f} dB."


def _figures(standing: Standing, steps: int, val: str) -> str:
    """Return the PSNR and the runtime of a network that has one."""
    spread = standing.spread(steps, val, psnr)
    assert spread is not None
    return f"{spread.mean:.2f} dB in {digits(standing.measurement.runtime.median_ms)} ms"


def _correlations(standings: Standings) -> str:
    """Return how each count ranks the networks against their runtime, the nearest first."""
    found = sorted(standings.correlations().items(), key=lambda pair: -(pair[1] if pair[1] is not None else -1.0))
    return meter_table(("count", "here", "", ""), [(name, rho, "") for name, rho in found])


def _plot(points: list[tuple[str, Point]], standings: Standings, steps: int, val: str) -> str:
    """Return the plot of one set of pictures after one length of training."""
    data = f"{val} {steps}"
    values = [point_values(point, kind=kind) for kind, point in points]
    title = f"PSNR on {val} after {steps:,} steps against runtime"
    notes = [BARS, "upright bars: how far trainings from other random starts differ"]
    budget_ms, budget_text = standings.drawn_budget()
    plot = chart(
        title, data, RUNTIME, PSNR, budget_ms=budget_ms, budget_text=budget_text, bars=True, opens=True, height=560,
        notes=notes,
    )  # fmt: skip
    return dataset(data, values, LOOKS) + plot + csv_button(data)


def _points(standings: Standings, steps: int, val: str) -> list[tuple[str, Point]]:
    """Return what is drawn: where each network comes from, and its point with the mean and the spread over seeds."""
    return [(each.kind, point) for each in standings.standings if (point := _point(each, steps, val)) is not None]


def _point(standing: Standing, steps: int, val: str) -> Point | None:
    """Return the point of a network, None where it has no PSNR on these pictures."""
    spread = standing.spread(steps, val, psnr)
    if spread is None:
        return None
    point = Point.of(standing.name, standing.measurement, "reference", standing.title)
    return replace(point, psnr=spread.mean, psnr_spread=spread.deviation)
