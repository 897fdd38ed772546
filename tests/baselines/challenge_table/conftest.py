"""Rows and a record of them that the tests of cells and of the page share."""

from dataclasses import replace

import pytest

from baselines.challenge_table.record import Measured, Record
from baselines.challenge_table.rows import Row, table_rows
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.target import Conditions

_PLACE = Conditions("a device", "a driver", "versions", 2, (256, 256), "float32")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Return an exact row, one that is not built, one without verified figures, and one outside Table 1."""
    return table_rows(["rfdn", "fssr", "lmsr", "span"])


def _measured(row: Row, median_ms: float, *, reliable: bool = True) -> Measured:
    """Return a row measured beside a reference of 20 ms."""
    runtime = Runtime(median_ms, 0.9 * median_ms, 1.1 * median_ms, 12, reliable=reliable, memory_format="contiguous")
    return Measured(Measurement(replace(row.deployed, memory=128 * 2**20), runtime, _PLACE, 20.0))


@pytest.fixture
def record(rows, tmp_path) -> Record:
    """Return a record in which one network did not fit."""
    kept = {
        "rfdn": _measured(rows[0], 200.0),
        "lmsr": Measured(problem="does not fit"),
        "span": _measured(rows[3], 50.0, reliable=False),
    }
    return Record(tmp_path / "rows.json", _PLACE, (), kept)
