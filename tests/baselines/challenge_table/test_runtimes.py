"""Rows measured one by one, kept, and gone on with."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.challenge_table.record import Measured, Record, open_record
from baselines.challenge_table.runtimes import (
    challenge_names,
    challenge_seconds,
    measure_challenge,
    measure_steady,
)
from baselines.registry import BASELINES
from sr.measure.latency import Protocol
from sr.measure.target import Target

TARGET = Target(torch.device("cpu"), (24, 16))
SHORT = Protocol(seconds=0.01, minimum_runs=3, idle_seconds=0)
FRAMES = ((16, 20), (20, 16))


@pytest.fixture
def record(tmp_path) -> Record:
    """Return an empty record for small pictures on the CPU."""
    return open_record(tmp_path / "rows.json", TARGET.conditions, ())


def measured_briefly(names: Sequence[str], record: Record, target: Target = TARGET, **changes: Any) -> Record:
    """Measure for a moment only."""
    return measure_steady(names, {"torch": record}, [target], protocol=replace(SHORT, **changes))["torch"]


def test_every_row_is_on_disk_as_soon_as_it_is_measured(record):
    grown = record.with_row("span", Measured(problem="does not fit"))
    assert open_record(record.path, record.conditions, ()) == grown
    grown = measured_briefly(["disp"], grown)
    kept = open_record(record.path, record.conditions, ())
    assert kept == grown
    assert list(kept.rows) == ["span", "disp"]
    measurement = kept.rows["disp"].measurement
    assert measurement.conditions.lr_size == (24, 16)
    assert 0 < measurement.runtime.p10_ms <= measurement.runtime.median_ms <= measurement.runtime.p90_ms
    assert measurement.reference_ms > 0


def test_what_one_engine_cannot_run_keeps_no_other_from_it(tmp_path, monkeypatch):
    class Unknown(nn.Module):
        """What torch alone runs."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 48, 3, padding=1)

        def forward(self, lr: Tensor) -> Tensor:
            """Map (n, 3, h, w) to (n, 3, 4h, 4w)."""
            return F.pixel_shuffle(torch.special.bessel_j0(self.conv(lr)), 4)

    monkeypatch.setitem(BASELINES, "disp", replace(BASELINES["disp"], network=Unknown))
    targets = [replace(TARGET, engine=engine) for engine in ("onnxruntime", "torch")]
    records = {each.engine: open_record(tmp_path / each.engine, each.conditions, ()) for each in targets}
    found = measure_steady(["disp", "span"], records, targets, protocol=SHORT)
    assert "cannot be written as ONNX" in found["onnxruntime"].rows["disp"].problem
    assert "\n" not in found["onnxruntime"].rows["disp"].problem
    assert found["torch"].rows["disp"].measurement.runtime.median_ms > 0
    for engine in ("onnxruntime", "torch"):
        assert found[engine].rows["span"].measurement.conditions.engine == engine
        assert found[engine].rows["span"].measurement.reference_ms > 0


def test_what_is_measured_stays_and_what_failed_is_tried_again(record):
    first = measured_briefly(["disp"], record.with_row("span", Measured(problem="no memory")))
    again = measured_briefly(["disp", "span"], first)
    assert again.rows["disp"] == first.rows["disp"]
    assert again.rows["span"].measurement is not None
    assert again.rows["span"].problem == ""


def test_a_network_that_counts_otherwise_is_measured_again(record):
    first = measured_briefly(["disp"], record)
    kept = first.rows["disp"]
    other = replace(kept.measurement, complexity=replace(kept.measurement.complexity, params=1), reference_ms=-1.0)
    again = measured_briefly(["disp"], first.with_row("disp", Measured(other))).rows["disp"]
    assert again.measurement.complexity == kept.measurement.complexity
    assert again.measurement.reference_ms > 0


def test_a_network_beyond_the_memory_is_a_row_that_says_so(record):
    measured = measured_briefly(["disp"], record, replace(TARGET, lr_size=(60_000, 60_000))).rows["disp"]
    assert measured.measurement is None
    assert "does not fit: a forward of 60000x60000 needs" in measured.problem


def test_slow_networks_are_timed_in_both_memory_formats(record):
    slow = measured_briefly(["disp"], record, early_stop_ms=1e-4, early_stop_runs=3)
    runtime = slow.rows["disp"].measurement.runtime
    assert runtime.runs == 3
    assert runtime.memory_format in ("contiguous", "channels_last")


def test_the_challenges_protocol_is_added_to_measured_rows(tmp_path):
    place = TARGET.conditions
    record = measured_briefly(["disp"], open_record(tmp_path / "rows.json", place, FRAMES))
    assert challenge_names(["disp", "span"], record) == ["disp"]
    seconds = 3 * record.rows["disp"].measurement.runtime.median_ms / 1000 * 2 * 320 / 384
    assert challenge_seconds(["disp"], record) == pytest.approx(seconds)
    through = measure_challenge(["disp"], record, TARGET)
    row = through.rows["disp"]
    assert len(row.passes_ms) == 3
    assert row.challenge_ms == min(row.passes_ms) > 0
    assert row.measurement == record.rows["disp"].measurement
    assert challenge_names(["disp"], through) == []
    assert open_record(tmp_path / "rows.json", place, FRAMES) == through


def test_a_frame_beyond_the_memory_leaves_the_steady_runtime(record):
    measured = replace(measured_briefly(["disp"], record), frames=((16, 16), (60_000, 60_000)))
    row = measure_challenge(["disp"], measured, TARGET).rows["disp"]
    assert "60000x60000" in row.problem
    assert row.passes_ms == ()
    assert row.challenge_ms is None
    assert row.measurement == measured.rows["disp"].measurement
