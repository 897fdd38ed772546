"""Rows measured one by one, kept, and gone on with."""

import json
from dataclasses import replace

import pytest
import torch

from baselines import runtimes
from baselines.runtimes import (
    Measured,
    Record,
    challenge_names,
    challenge_seconds,
    measure_challenge,
    measure_steady,
    open_record,
    steady,
    through_frames,
)
from sr.errors import InputError
from sr.latency import Conditions, Protocol, Runtime, conditions
from sr.measurement import Measurement

CPU = torch.device("cpu")
FRAMES = ((16, 20), (20, 16))


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Measure for a moment only."""
    monkeypatch.setattr(runtimes, "PROTOCOL", Protocol(seconds=0.01, minimum_runs=3, quiet_seconds=0))


@pytest.fixture
def record(tmp_path) -> Record:
    """Return an empty record for small pictures on the CPU."""
    return open_record(tmp_path / "rows.json", conditions(CPU, (24, 16), "float32"), ())


def test_every_row_is_on_disk_as_soon_as_it_is_measured(record):
    grown = record.with_row("span", Measured(problem="does not fit"))
    assert open_record(record.path, record.conditions, ()) == grown
    grown = measure_steady(["disp"], grown, CPU)
    kept = open_record(record.path, record.conditions, ())
    assert kept == grown
    assert list(kept.rows) == ["span", "disp"]
    measurement = kept.rows["disp"].measurement
    assert measurement.conditions.lr_size == (24, 16)
    assert 0 < measurement.runtime.p10_ms <= measurement.runtime.median_ms <= measurement.runtime.p90_ms
    assert measurement.reference_ms > 0


def test_what_is_measured_stays_and_what_failed_is_tried_again(record):
    first = measure_steady(["disp"], record.with_row("span", Measured(problem="no memory")), CPU)
    again = measure_steady(["disp", "span"], first, CPU)
    assert again.rows["disp"] == first.rows["disp"]
    assert again.rows["span"].measurement is not None
    assert again.rows["span"].problem == ""


def test_a_network_that_counts_otherwise_is_measured_again(record):
    first = measure_steady(["disp"], record, CPU)
    kept = first.rows["disp"]
    other = replace(kept.measurement, complexity=replace(kept.measurement.complexity, params=1), reference_ms=-1.0)
    again = steady("disp", first.with_row("disp", Measured(other)), CPU)
    assert again.measurement.complexity == kept.measurement.complexity
    assert again.measurement.reference_ms > 0


def test_a_network_beyond_the_memory_is_a_row_that_says_so(record):
    huge = replace(record, conditions=replace(record.conditions, lr_size=(60_000, 60_000)))
    measured = steady("disp", huge, CPU)
    assert measured.measurement is None
    assert "does not fit: a forward of 60000x60000 needs" in measured.problem


def test_slow_networks_are_timed_in_both_memory_formats(record, monkeypatch):
    monkeypatch.setattr(runtimes, "SLOW_MS", 0.0)
    monkeypatch.setattr(runtimes, "PROTOCOL", replace(runtimes.PROTOCOL, hopeless_ms=1e-4, hopeless_runs=3))
    runtime = steady("disp", record, CPU).measurement.runtime
    assert runtime.runs == 3
    assert runtime.memory_format in ("contiguous", "channels_last")


def test_the_challenges_protocol_is_added_to_measured_rows(tmp_path):
    place = conditions(CPU, (24, 16), "float32")
    record = measure_steady(["disp"], open_record(tmp_path / "rows.json", place, FRAMES), CPU)
    assert challenge_names(["disp", "span"], record) == ["disp"]
    seconds = 3 * record.rows["disp"].measurement.runtime.median_ms / 1000 * 2 * 320 / 384
    assert challenge_seconds(["disp"], record) == pytest.approx(seconds)
    through = measure_challenge(["disp"], record, CPU)
    row = through.rows["disp"]
    assert len(row.passes_ms) == 3
    assert row.challenge_ms == min(row.passes_ms) > 0
    assert row.measurement == record.rows["disp"].measurement
    assert challenge_names(["disp"], through) == []
    assert open_record(tmp_path / "rows.json", place, FRAMES) == through


def test_a_frame_beyond_the_memory_leaves_the_steady_runtime(record):
    measured = replace(measure_steady(["disp"], record, CPU), frames=((16, 16), (60_000, 60_000)))
    row = through_frames("disp", measured, CPU)
    assert "60000x60000" in row.problem
    assert row.passes_ms == ()
    assert row.challenge_ms is None
    assert row.measurement == measured.rows["disp"].measurement


@pytest.mark.parametrize(("key", "value"), [("dtype", "bfloat16"), ("lr_size", (16, 24)), ("threads", 99)])
def test_rows_of_other_conditions_are_refused_in_one_line(record, key, value):
    record.with_row("span", Measured(problem="no memory"))
    with pytest.raises(InputError, match=rf"share their conditions.* {key} was .*name another --out") as caught:
        open_record(record.path, replace(record.conditions, **{key: value}), ())
    assert "\n" not in str(caught.value)


def test_rows_of_other_frames_are_refused(record):
    with_frames = replace(record, frames=FRAMES).with_row("span", Measured())
    assert open_record(record.path, record.conditions, ()) == with_frames
    assert open_record(record.path, record.conditions, FRAMES) == with_frames
    with pytest.raises(InputError, match="other frame sizes"):
        open_record(record.path, record.conditions, FRAMES[:1])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"conditions": {}, "frames": [], "rows": {"span": 3}}', "\x00"])
def test_a_damaged_record_is_refused_in_one_line(record, content):
    record.path.write_text(content)
    with pytest.raises(InputError, match="no record of measured rows") as caught:
        open_record(record.path, record.conditions, ())
    assert "\n" not in str(caught.value)


def test_the_record_is_plain_json(tmp_path):
    place = Conditions("device", "driver", "versions", 2, (24, 16), "float32")
    runtime = Runtime(2.0, 1.0, 3.0, 12, reliable=True, memory_format="contiguous", memory=7)
    complexity = runtimes.count(runtimes.seeded("disp"), (24, 16))
    measured = Measured(Measurement(complexity, runtime, place, 0.5), "", (3.0, 2.0, 2.5))
    Record(tmp_path / "rows.json", place, FRAMES).with_row("disp", measured)
    content = json.loads((tmp_path / "rows.json").read_text())
    assert content["frames"] == ["20x16", "16x20"]
    assert content["rows"]["disp"]["passes_ms"] == [3.0, 2.0, 2.5]
    assert Measured.from_json(content["rows"]["disp"]) == measured
