"""The page with the measured tables and their figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from baselines.challenge_table.cells import (
    LEGEND,
    cells,
    correlation_cells,
    correlation_headings,
    headings,
    place_lines,
    summary,
)
from baselines.challenge_table.correlation import Correlation, with_runtime
from baselines.challenge_table.record import Measured, Record
from baselines.challenge_table.rows import Row
from sr.files import write_text
from sr.report.figures import embedded, pareto_figure, runtime_figure
from sr.report.label_layout import part_labels
from sr.report.page import Point, document, section, table


def _points(rows: Sequence[Row], measured: Mapping[str, Measured]) -> list[Point]:
    """Return what the figures draw; the PSNR is the one that the organisers published for validation."""
    return [
        Point(
            label=row.system,
            psnr=row.published.psnr_val if row.published and row.published.status("psnr_val") == "published" else None,
            runtime_ms=taken.runtime.median_ms,
            runtime_p10=taken.runtime.p10_ms,
            runtime_p90=taken.runtime.p90_ms,
            activations=taken.complexity.activations,
            multi_adds=taken.complexity.multi_adds,
            params=taken.complexity.params,
            kind="reference",
            detail=row.note,
        )
        for row, taken in with_runtime(rows, measured)
    ]


def write_page(path: Path, rows: Sequence[Row], record: Record, found: Sequence[Correlation]) -> None:
    """Write the tables and figures as one self-contained page."""
    drawn = _points(rows, record.rows)
    # Two tables: one would be wider than the page. The last column is for words, set to the left.
    head, lines, counts = headings(record), [cells(row, record) for row in rows], len(headings(None)) - 1
    classes = [row.status for row in rows]
    shown = table((*head[:counts], ""), [(*line[:counts], "") for line in lines], classes)
    body = section("Table 1, counted", LEGEND, shown)
    shown = table((head[0], *head[counts:]), [(line[0], *line[counts:]) for line in lines], classes)
    body += section("Table 1, measured", f"{LEGEND}; ? unsteady", shown)
    if drawn:
        figure = runtime_figure(drawn, height=560)
        part_labels(figure)
        note = "Pointing at a network tells its figures, and the name where there is no room for it."
        body += section("What predicts runtime", note, embedded(figure, first=True))
    if any(point.psnr is not None for point in drawn):
        note = "PSNR as published, on DIV2K's validation pictures; runtime as measured here."
        figure = pareto_figure(drawn, None)
        part_labels(figure)
        body += section("PSNR against runtime", note, embedded(figure))
    titles = (*correlation_headings(rows, record.rows), "")
    ranks = table(titles, [(*correlation_cells(each), "") for each in found], [""] * len(found))
    body += section("Table 2, measured", "Spearman's rank correlation of each metric with the runtime.", ranks)
    write_text(path, document("The challenge's systems on this device", [*place_lines(record), summary(rows)], body))
