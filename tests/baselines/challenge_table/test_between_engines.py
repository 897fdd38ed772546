"""The same networks in several engines."""

from dataclasses import replace

import pytest

from baselines.challenge_table.between_engines import (
    BETWEEN_HEADINGS,
    Between,
    between_cells,
    between_engines,
    engine_lines,
    problems,
    runtime_cells,
    runtime_headings,
)
from baselines.challenge_table.record import Measured, Record


def scaled(record: Record, factor: float) -> Record:
    """Return a record whose RFDN takes `factor` times as long, and whose SPAN takes as long."""
    kept = record.rows["rfdn"].measurement
    slower = replace(kept, runtime=replace(kept.runtime, median_ms=factor * kept.runtime.median_ms))
    return replace(record, rows={**record.rows, "rfdn": Measured(slower)})


def test_a_pair_has_its_ratios_and_the_correlation_of_ranks(record):
    # RFDN takes 200 ms and 1.5 times that, SPAN 50 ms in both.
    (found,) = between_engines({"torch": record, "openvino": scaled(record, 1.5)})
    assert found == Between("openvino", "torch", 2, 1.25, 1.0, 1.5, pytest.approx(1.0), pytest.approx(1.0))
    # A tenth of 200 ms is less than SPAN's: the ranks are the other way round.
    (found,) = between_engines({"torch": record, "openvino": scaled(record, 0.1)})
    assert found.spearman == pytest.approx(-1.0)
    assert found.kendall == pytest.approx(-1.0)


def test_three_engines_are_three_pairs(record):
    found = between_engines({"a": record, "b": record, "c": record})
    assert [(each.engine, each.other) for each in found] == [("b", "a"), ("c", "a"), ("c", "b")]
    assert between_engines({"a": record}) == []


def test_engines_without_a_network_in_common_have_no_ratio(record):
    (found,) = between_engines({"a": record, "b": replace(record, rows={})})
    assert found == Between("b", "a", 0, None, None, None, None, None)
    assert between_cells(found) == ("b / a", "0", "-", "-", "-", "-", "-")


def test_a_row_has_its_runtime_in_every_engine_and_the_ratio_to_the_first(rows, record):
    records = {"torch": record, "openvino": scaled(record, 1.5)}
    assert runtime_headings(records) == ("network", "torch (ms)", "openvino (ms)", "openvino / torch")
    assert runtime_cells(rows[0], records) == ("RFDN", "200", "300", "1.50")
    assert runtime_cells(rows[1], records) == ("LMSR", "-", "-", "-")
    assert runtime_cells(rows[3], records) == ("SPAN", "50.0 ?", "50.0 ?", "1.00")


def test_frames_have_a_column_in_the_engine_that_ran_them(rows, record):
    through = replace(record, frames=((16, 16),), rows={"rfdn": replace(record.rows["rfdn"], passes_ms=(70.0, 61.0))})
    records = {"torch": record, "openvino": through}
    assert runtime_headings(records)[-1] == "openvino, 1 frames (ms)"
    assert runtime_cells(rows[0], records)[-1] == "61.0"
    assert runtime_cells(rows[3], records)[-1] == "-"


def test_what_an_engine_did_not_run_is_a_line(rows, record):
    records = {"torch": replace(record, rows={}), "openvino": record}
    assert problems(rows, records) == ["LMSR in openvino: does not fit"]
    lines = engine_lines(rows, records, between_engines(records))
    assert "LMSR in openvino: does not fit" in lines
    assert lines[-2].split()[: len(BETWEEN_HEADINGS)] == list(BETWEEN_HEADINGS)
