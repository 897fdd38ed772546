"""Rows kept in a file, and refused where they are of something else."""

import json
from dataclasses import replace

import pytest
import torch

from baselines.challenge_table.record import Measured, Record, open_record
from baselines.registry import build
from sr.errors import InputError
from sr.measure.complexity import count
from sr.measure.latency import Runtime
from sr.measure.measurement import Measurement
from sr.measure.target import Conditions, Target

FRAMES = ((16, 20), (20, 16))


@pytest.fixture
def record(tmp_path) -> Record:
    """Return an empty record for small pictures on the CPU."""
    return open_record(tmp_path / "rows.json", Target(torch.device("cpu"), (24, 16)).conditions, ())


def test_a_row_is_on_disk_as_soon_as_it_is_there(record):
    grown = record.with_row("span", Measured(problem="does not fit"))
    assert open_record(record.path, record.conditions, ()) == grown
    assert record.rows == {}


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
    complexity = count(build("disp"), (24, 16))
    measured = Measured(Measurement(complexity, runtime, place, 0.5), "", (3.0, 2.0, 2.5))
    Record(tmp_path / "rows.json", place, FRAMES).with_row("disp", measured)
    content = json.loads((tmp_path / "rows.json").read_text())
    assert content["frames"] == ["20x16", "16x20"]
    assert content["rows"]["disp"]["passes_ms"] == [3.0, 2.0, 2.5]
    assert Measured.from_json(content["rows"]["disp"]) == measured
