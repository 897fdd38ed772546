"""Cells, and lines of text."""

from dataclasses import replace

from baselines.challenge_table.cells import (
    cells,
    correlation_cells,
    correlation_headings,
    headings,
    summary,
    table_1_lines,
    table_2_lines,
)
from baselines.challenge_table.correlation import correlations
from baselines.challenge_table.record import Record
from baselines.challenge_table.rows import Row


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
    assert "distance" not in by_heading(rows[0], None)["note"]
    assert "params +100.2%" in by_heading(replace(rows[0], counts=twice), None)["note"]


def test_lines_are_aligned_under_their_headings_with_what_needs_saying_below(rows):
    lines = table_1_lines(rows, None)
    assert lines[1].startswith("network  status  ")
    assert len({len(line) for line in lines[1:6]}) == 1
    assert lines[2].startswith("RFDN ")
    assert [line.partition(":")[0] for line in lines[6:-1]] == ["LMSR", "FSSR", "SPAN"]
    assert lines[-1] == summary(rows)


def test_the_summary_counts_table_1_alone(rows):
    text = summary(rows)
    assert text.startswith("3 rows of Table 1: 2 exact")
    assert text.endswith("1 not built (FSSR)")


def test_table_2_has_its_lines(rows, record):
    assert correlation_headings(rows, record.rows) == ("metric", "Table 2", "here, 1 of its 21", "here, all 2")
    lines = [correlation_cells(each) for each in correlations(rows, record.rows)]
    assert lines[2] == ("activations", "0.8737", "-", "1.0000")
    text = table_2_lines(rows, record, correlations(rows, record.rows))
    assert text[0].startswith("Table 2")
    assert len(text) == 2 + 7
