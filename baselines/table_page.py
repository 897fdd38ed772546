"""The measured table in words: cells, lines of text, and the page with its figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from baselines.correlation import Correlation, in_table_2, with_runtime
from baselines.published import Published
from baselines.rows import Row, figure
from baselines.runtimes import Measured, Record
from sr.figures import embedded, pareto_figure, runtime_figure
from sr.files import write_text
from sr.label_places import part_labels
from sr.lr_size import size_text
from sr.page import Point, digits, document, section, table

# Columns of Table 1, what they are called here, and the digits to print.
COLUMNS = {
    "params_m": ("params (M)", 3),
    "flops_g": ("FLOPs (G)", 2),
    "activations_m": ("activations (M)", 2),
    "convs": ("convs", 0),
}
LEGEND = "here / Table 1; * the team's own figure; - not published"


def headings(record: Record | None) -> tuple[str, ...]:
    """Return the headings of the table, without runtimes where there is no record."""
    counts = ("network", "status", *(name for name, _ in COLUMNS.values()), "multi-adds (G)")
    if record is None:
        return (*counts, "note")
    runtimes = ("memory (MiB)", "runtime (ms)", "p10 to p90", "x reference", "Table 1 (s)")
    challenge = (f"{len(record.frames)} frames (ms)",) if record.frames else ()
    return (*counts, *runtimes, *challenge, "note")


def cells(row: Row, record: Record | None) -> tuple[str, ...]:
    """Return one line of the table, in the order of `headings`."""
    counts = (row.system, row.status if row.published else "", *(pair(row, column) for column in COLUMNS))
    multi_adds = f"{row.counts.multi_adds / 1e9:.2f}" if row.counts else "-"
    if record is None:
        return (*counts, multi_adds, notes(row, Measured()))
    measured = record.rows.get(row.name or "", Measured())
    challenge = (optional(measured.challenge_ms),) if record.frames else ()
    return (*counts, multi_adds, *runtime_cells(row, measured), *challenge, notes(row, measured))


def pair(row: Row, column: str) -> str:
    """Return a count and the published one beside it."""
    places = COLUMNS[column][1]
    here = f"{figure(row.counts, column):.{places}f}" if row.counts else "-"
    return f"{here} / {published_cell(row.published, column, places)}" if row.published else here


def published_cell(published: Published, column: str, places: int) -> str:
    """Return a published figure, marked where it is the team's own."""
    theirs = published.value(column)
    return "-" if theirs is None else f"{theirs:.{places}f}{'*' if column in published.unverified else ''}"


def runtime_cells(row: Row, measured: Measured) -> tuple[str, ...]:
    """Return memory, median, spread, the ratio to the reference network, and the published runtime."""
    theirs = published_cell(row.published, "runtime_s", 3) if row.published else ""
    memory = f" / {published_cell(row.published, 'memory_m', 0)}" if row.published else ""
    if measured.measurement is None:
        return (f"-{memory}", "-", "-", "-", theirs)
    runtime = measured.measurement.runtime
    return (
        f"{measured.measurement.memory / 2**20:.0f}{memory}",
        digits(runtime.median_ms) + ("" if runtime.reliable else " ?"),
        f"{digits(runtime.p10_ms)} to {digits(runtime.p90_ms)}",
        digits(runtime.median_ms / measured.measurement.reference_ms),
        theirs,
    )


def optional(value: float | None) -> str:
    """Return the digits of a number that may be missing."""
    return "-" if value is None else digits(value)


def notes(row: Row, measured: Measured) -> str:
    """Return what needs saying of a row: what became of it, its note, its distance where it is not exact."""
    return "; ".join(text for text in (measured.problem, row.note, distance_text(row)) if text)


def distance_text(row: Row) -> str:
    """Return the distances of a reconstruction to the published figures; nothing for an exact row."""
    if row.status not in ("near", "inspired"):
        return ""
    parts = (f"{COLUMNS[column][0].split(' ')[0]} {distance:+.1%}" for column, distance in row.distances.items())
    return "distance: " + (", ".join(parts) or "nothing published")


def aligned(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of text with the columns under their headings, the first set to the left."""
    widths = [max(len(line[index]) for line in (head, *lines)) for index in range(len(head))]
    return [
        "  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))])
        for first, *rest in (head, *lines)
    ]


def summary(rows: Sequence[Row]) -> str:
    """Say how many rows of Table 1 are exact, near, inspired and not built."""
    of_table_1 = [row for row in rows if row.published]
    counted = Counter(row.status for row in of_table_1)
    missing = ", ".join(row.system for row in of_table_1 if row.status == "none")
    return (
        f"{len(of_table_1)} rows of Table 1: {counted['exact']} exact to the printed digits, "
        f"{counted['near']} near (within 1 %), {counted['inspired']} inspired, {counted['none']} not built"
        + (f" ({missing})" if missing else "")
    )


def correlation_cells(found: Correlation) -> tuple[str, ...]:
    """Return one line of Table 2."""
    figures = (found.published, found.challenge, found.everything)
    return (found.metric, *("-" if value is None else f"{value:.4f}" for value in figures))


def correlation_headings(rows: Sequence[Row], measured: Mapping[str, Measured]) -> tuple[str, ...]:
    """Return the headings of Table 2 with how many networks each column is over."""
    pairs = with_runtime(rows, measured)
    of_challenge = sum(in_table_2(row.published) for row, _ in pairs)
    return ("metric", "Table 2", f"here, {of_challenge} of its 21", f"here, all {len(pairs)}")


def place_lines(record: Record) -> list[str]:
    """Say on what the table was measured."""
    place = record.conditions
    size = size_text(place.lr_size)
    lines = [
        f"{place.device}, {place.driver}, {place.threads} threads, {place.versions}",
        f"Runtime and memory for one {size} picture in {place.dtype}, network only, deployed form; counts for 256x256 "
        f"in the form that Table 1 counted.",
    ]
    if record.frames:
        lines.append(f"The challenge's protocol: mean over {len(record.frames)} frames, the best of three passes.")
    return lines


def points(rows: Sequence[Row], measured: Mapping[str, Measured]) -> list[Point]:
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
    drawn = points(rows, record.rows)
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
