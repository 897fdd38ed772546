"""The page with the measured tables and their figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from baselines.challenge_table.between_engines import (
    BETWEEN_HEADINGS,
    between_cells,
    problems,
    runtime_cells,
    runtime_headings,
)
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
from baselines.challenge_table.tables import Tables
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


def write_page(path: Path, tables: Tables) -> None:
    """Write the tables and figures as one self-contained page."""
    rows, records = tables.rows, tables.records
    classes, counted = [row.status for row in rows], headings(None)[:-1]
    shown = table((*counted, ""), [(*cells(row, None)[:-1], "") for row in rows], classes)
    body = section("Table 1, counted", LEGEND, shown)
    if tables.between:
        body += _between_sections(tables)
    drawn = False
    for engine, record in records.items():
        body += _measured_sections(engine, rows, record, tables.correlations[engine], first=not drawn)
        drawn = drawn or bool(with_runtime(rows, record.rows))
    places = [line for record in records.values() for line in place_lines(record)]
    write_text(path, document("The challenge's systems on this device", [*places, summary(rows)], body))


def _between_sections(tables: Tables) -> str:
    """Return the runtimes in all engines, and how the engines compare."""
    rows, records = tables.rows, tables.records
    missing = "; ".join(problems(rows, records))
    lines = [(*runtime_cells(row, records), "") for row in rows]
    shown = table((*runtime_headings(records), ""), lines, [row.status for row in rows])
    body = section("Runtimes in every engine", f"? unsteady{'; ' if missing else ''}{missing}", shown)
    pairs = table(
        (*BETWEEN_HEADINGS, ""), [(*between_cells(each), "") for each in tables.between], [""] * len(tables.between)
    )
    note = (
        "The runtime in one over that in the other: the median over the networks; and the correlation of their ranks."
    )
    return body + section("Between engines", note, pairs)


def _measured_sections(
    engine: str, rows: Sequence[Row], record: Record, found: Sequence[Correlation], *, first: bool
) -> str:
    """Return Table 1 and Table 2 as measured in one engine, and the figures.

    Args:
        engine: Its name.
        rows: Of the table.
        record: Their runtimes in it.
        found: Table 2.
        first: Whether no figure is on the page yet.
    """
    drawn, counts = _points(rows, record.rows), len(headings(None)) - 1
    head, lines = headings(record), [cells(row, record) for row in rows]
    # A table of its own: with the counts it would be wider than the page. The last column is for words.
    shown = table(
        (head[0], *head[counts:]), [(line[0], *line[counts:]) for line in lines], [row.status for row in rows]
    )
    body = section(f"Table 1, measured in {engine}", f"{LEGEND}; ? unsteady", shown)
    if drawn:
        figure = runtime_figure(drawn, height=560)
        part_labels(figure)
        note = "Pointing at a network tells its figures, and the name where there is no room for it."
        body += section(f"What predicts runtime in {engine}", note, embedded(figure, first=first))
    if any(point.psnr is not None for point in drawn):
        note = "PSNR as published, on DIV2K's validation pictures; runtime as measured here."
        figure = pareto_figure(drawn, None)
        part_labels(figure)
        body += section(f"PSNR against runtime in {engine}", note, embedded(figure))
    titles = (*correlation_headings(rows, record.rows), "")
    ranks = table(titles, [(*correlation_cells(each), "") for each in found], [""] * len(found))
    note = "Spearman's rank correlation of each metric with the runtime."
    return body + section(f"Table 2, measured in {engine}", note, ranks)
