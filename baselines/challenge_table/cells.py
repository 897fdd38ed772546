"""The measured tables in words: headings, cells, and lines of text."""

from collections import Counter
from collections.abc import Mapping, Sequence

from baselines.challenge_table.correlation import Correlation, in_table_2, with_runtime
from baselines.challenge_table.published import Published
from baselines.challenge_table.record import Measured, Record
from baselines.challenge_table.rows import Row, figure
from sr.lr_size import size_text
from sr.report.page import digits

# Columns of Table 1, what they are called here, and the digits to print.
_COLUMNS = {
    "params_m": ("params (M)", 3),
    "flops_g": ("FLOPs (G)", 2),
    "activations_m": ("activations (M)", 2),
    "convs": ("convs", 0),
}
LEGEND = "here / Table 1; * the team's own figure; - not published"


def headings(record: Record | None) -> tuple[str, ...]:
    """Return the headings of the table, without runtimes where there is no record."""
    counts = ("network", "status", *(name for name, _ in _COLUMNS.values()), "multi-adds (G)")
    if record is None:
        return (*counts, "note")
    runtimes = ("memory (MiB)", "runtime (ms)", "p10 to p90", "x reference", "Table 1 (s)")
    challenge = (f"{len(record.frames)} frames (ms)",) if record.frames else ()
    return (*counts, *runtimes, *challenge, "note")


def cells(row: Row, record: Record | None) -> tuple[str, ...]:
    """Return one line of the table, in the order of `headings`."""
    counts = (row.system, row.status if row.published else "", *(_pair(row, column) for column in _COLUMNS))
    multi_adds = f"{row.counts.multi_adds / 1e9:.2f}" if row.counts else "-"
    if record is None:
        return (*counts, multi_adds, _notes(row, Measured()))
    measured = record.rows.get(row.name or "", Measured())
    challenge = (_optional(measured.challenge_ms),) if record.frames else ()
    return (*counts, multi_adds, *_runtime_cells(row, measured), *challenge, _notes(row, measured))


def _pair(row: Row, column: str) -> str:
    """Return a count and the published one beside it."""
    decimals = _COLUMNS[column][1]
    here = f"{figure(row.counts, column):.{decimals}f}" if row.counts else "-"
    return f"{here} / {_published_cell(row.published, column, decimals)}" if row.published else here


def _published_cell(published: Published, column: str, decimals: int) -> str:
    """Return a published figure, marked where it is the team's own."""
    theirs = published.value(column)
    return "-" if theirs is None else f"{theirs:.{decimals}f}{'*' if column in published.unverified else ''}"


def _runtime_cells(row: Row, measured: Measured) -> tuple[str, ...]:
    """Return memory, median, spread, the ratio to the reference network, and the published runtime."""
    theirs = _published_cell(row.published, "runtime_s", 3) if row.published else ""
    memory = f" / {_published_cell(row.published, 'memory_m', 0)}" if row.published else ""
    if measured.measurement is None:
        return (f"-{memory}", "-", "-", "-", theirs)
    runtime, reference_ms = measured.measurement.runtime, measured.measurement.reference_ms
    ratio = runtime.median_ms / reference_ms if reference_ms else None
    return (
        f"{measured.measurement.memory / 2**20:.0f}{memory}",
        digits(runtime.median_ms) + ("" if runtime.reliable else " ?"),
        f"{digits(runtime.p10_ms)} to {digits(runtime.p90_ms)}",
        _optional(ratio),
        theirs,
    )


def _optional(value: float | None) -> str:
    """Return the digits of a number that may be missing."""
    return "-" if value is None else digits(value)


def _notes(row: Row, measured: Measured) -> str:
    """Return what needs saying of a row: what became of it, its note, its distance where it is not exact."""
    return "; ".join(text for text in (measured.problem, row.note, _distance_text(row)) if text)


def _distance_text(row: Row) -> str:
    """Return the distances of a reconstruction to the published figures; nothing for an exact row."""
    if row.status not in ("near", "inspired"):
        return ""
    parts = (f"{_COLUMNS[column][0].split(' ')[0]} {distance:+.1%}" for column, distance in row.distances.items())
    return "distance: " + (", ".join(parts) or "nothing published")


def table_1_lines(rows: Sequence[Row], record: Record | None) -> list[str]:
    """Return Table 1 as lines of text, and under it what needs saying of its rows; without runtimes where no record."""
    lines = [cells(row, record) for row in rows]
    remarks = [f"{system}: {note}" for system, *_, note in lines if note]
    return [LEGEND, *aligned(headings(record)[:-1], [line[:-1] for line in lines]), *remarks, summary(rows)]


def table_2_lines(rows: Sequence[Row], record: Record, found: Sequence[Correlation]) -> list[str]:
    """Return Table 2 as lines of text."""
    title = f"Table 2: Spearman's rank correlation with the runtime in {record.conditions.engine}"
    return [title, *aligned(correlation_headings(rows, record.rows), [correlation_cells(each) for each in found])]


def aligned(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of text with the columns under their headings, the first set to the left."""
    widths = [max(len(line[index]) for line in (head, *lines)) for index in range(len(head))]
    return [
        "  ".join([first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))])
        for first, *rest in (head, *lines)
    ]


def summary(rows: Sequence[Row]) -> str:
    """Return in words how many rows of Table 1 are exact, near, inspired and not built."""
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
    of_challenge = sum(in_table_2(row) for row, _ in pairs)
    return ("metric", "Table 2", f"here, {of_challenge} of its 21", f"here, all {len(pairs)}")


def place_lines(record: Record) -> list[str]:
    """Return lines that say on what the table was measured."""
    place = record.conditions
    size = size_text(place.lr_size)
    lines = [
        f"{place.device}, {place.driver}, {place.threads} threads, {place.versions}",
        f"Runtime and memory for one {size} picture in {place.dtype} in {place.engine}, network only, deployed form; "
        f"counts for 256x256 in the form that Table 1 counted.",
    ]
    if record.frames:
        lines.append(f"The challenge's protocol: mean over {len(record.frames)} frames, the best of three passes.")
    return lines
