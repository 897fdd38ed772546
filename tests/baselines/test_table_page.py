"""Cells, lines and the page."""

from dataclasses import replace

import pytest

from baselines.correlation import correlations
from baselines.rows import Row, table_rows
from baselines.runtimes import Measured, Record
from baselines.table_page import (
    aligned,
    cells,
    correlation_cells,
    correlation_headings,
    distance_text,
    headings,
    points,
    summary,
    write_page,
)
from sr.latency import Conditions, Runtime
from sr.measurement import Measurement

PLACE = Conditions("a device", "a driver", "versions", 2, (256, 256), "float32")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Return an exact row, one that is not built, one without verified figures, and one outside Table 1."""
    return table_rows(["rfdn", "fssr", "lmsr", "span"])


def measured(row: Row, median_ms: float, *, reliable: bool = True) -> Measured:
    """Return a row measured beside a reference of 20 ms."""
    runtime = Runtime(median_ms, 0.9 * median_ms, 1.1 * median_ms, 12, reliable=reliable, memory_format="contiguous")
    return Measured(Measurement(replace(row.deployed, memory=128 * 2**20), runtime, PLACE, 20.0))


@pytest.fixture
def record(rows, tmp_path) -> Record:
    """Return a record in which one network did not fit."""
    kept = {
        "rfdn": measured(rows[0], 200.0),
        "lmsr": Measured(problem="does not fit"),
        "span": measured(rows[3], 50.0, reliable=False),
    }
    return Record(tmp_path / "rows.json", PLACE, (), kept)


def by_heading(row: Row, record: Record | None) -> dict[str, str]:
    """Return a line of the table by heading."""
    return dict(zip(headings(record), cells(row, record), strict=True))


def test_a_count_stands_beside_the_published_one(rows):
    line = by_heading(rows[0], None)
    assert line["network"] == "RFDN"
    assert line["status"] == "exact"
    assert line["params (M)"] == "0.433 / 0.433"
    assert line["FLOPs (G)"] == "27.10 / 27.10"
    assert line["convs"] == "64 / 64"
    assert line["multi-adds (G)"] == "27.03"


def test_missing_unverified_and_unpublished_figures_are_told_apart(rows):
    assert by_heading(rows[2], None)["params (M)"] == "- / 0.720*"
    assert by_heading(rows[2], None)["FLOPs (G)"] == "- / -"
    assert by_heading(rows[1], None)["convs"] == "31 / 31*"
    assert by_heading(rows[3], None)["convs"] == "22"
    assert by_heading(rows[3], None)["status"] == ""


def test_a_runtime_has_its_spread_and_its_ratio(rows, record):
    line = by_heading(rows[0], record)
    assert line["runtime (ms)"] == "200"
    assert line["p10 to p90"] == "180 to 220"
    assert line["x reference"] == "10.0"
    assert line["Table 1 (s)"] == "0.037"
    assert line["memory (MiB)"] == "128 / 200"
    assert by_heading(rows[3], record)["runtime (ms)"] == "50.0 ?"


def test_what_did_not_fit_says_so(rows, record):
    line = by_heading(rows[1], record)
    assert line["runtime (ms)"] == "-"
    assert line["note"].startswith("does not fit")


def test_the_challenges_protocol_has_a_column_where_it_was_used(rows, record):
    kept = {"rfdn": replace(record.rows["rfdn"], passes_ms=(70.0, 61.0, 62.0))}
    through = replace(record, frames=((16, 16), (16, 20)), rows=kept)
    assert by_heading(rows[0], through)["2 frames (ms)"] == "61.0"
    assert by_heading(rows[3], through)["2 frames (ms)"] == "-"
    assert "2 frames (ms)" not in headings(record)


def test_a_reconstruction_has_its_distance_in_the_note(rows):
    twice = replace(rows[0].counts, params=2 * rows[0].counts.params)
    assert distance_text(rows[0]) == ""
    assert "params +100.2%" in distance_text(replace(rows[0], counts=twice))


def test_lines_are_aligned():
    assert aligned(("a", "bbb"), [("long", "1"), ("s", "22")]) == ["a     bbb", "long    1", "s      22"]


def test_the_summary_counts_table_1_alone(rows):
    text = summary(rows)
    assert text.startswith("3 rows of Table 1: 2 exact")
    assert text.endswith("1 not built (FSSR)")


def test_figures_draw_what_has_a_runtime(rows, record):
    drawn = points(rows, record.rows)
    assert [(point.label, point.psnr) for point in drawn] == [("RFDN", 29.04), ("SPAN", None)]


def test_the_page_holds_every_row_and_both_tables(rows, record):
    path = record.path.with_name("table.html")
    found = correlations(rows, record.rows)
    write_page(path, rows, record, found)
    page = path.read_text(encoding="utf-8")
    assert all(row.system in page for row in rows)
    assert "0.8737" in page
    assert "Plotly.newPlot" in page
    assert "a device" in page


def test_a_page_without_any_runtime_has_no_figure(rows, record):
    empty = replace(record, rows={})
    path = record.path.with_name("empty.html")
    write_page(path, rows, empty, correlations(rows, {}))
    assert "Plotly.newPlot" not in path.read_text(encoding="utf-8")


def test_table_2_has_its_lines(rows, record):
    assert correlation_headings(rows, record.rows) == ("metric", "Table 2", "here, 1 of its 21", "here, all 2")
    lines = [correlation_cells(each) for each in correlations(rows, record.rows)]
    assert lines[2] == ("activations", "0.8737", "-", "1.0000")
