"""What earlier searches learned of a device, kept for the next one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.known_device import KnownDevice, path_of, recall, remember
from sr.measure.latency_model import USUAL
from sr.measure.target import Target
from sr.progress import Event, Message

TARGET = Target(torch.device("cpu"), (16, 24), "float32")
KNOWN = KnownDevice(replace(USUAL, channel_step=16, networks=12)).with_calm((16, 24), 3.5)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_nothing_is_known_of_a_new_device() -> None:
    assert recall(TARGET) == KnownDevice()
    assert KnownDevice().calm_ms((16, 24)) is None
    assert KnownDevice().model == USUAL


def test_known_device_is_recalled_as_it_was() -> None:
    remember(TARGET, KNOWN)
    assert recall(TARGET) == KNOWN
    # Whatever picture is asked for next.
    assert recall(replace(TARGET, lr_size=(32, 16))) == KNOWN
    assert KnownDevice.from_json(json.loads(json.dumps(KNOWN.to_json()))) == KNOWN


def test_other_precisions_and_engines_are_other_devices() -> None:
    remember(TARGET, KNOWN)
    for other in (replace(TARGET, dtype="bfloat16"), replace(TARGET, engine="onnxruntime")):
        assert path_of(other) != path_of(TARGET)
        assert recall(other) == KnownDevice()


def test_other_versions_know_nothing() -> None:
    remember(TARGET, KNOWN)
    content = json.loads(path_of(TARGET).read_text())
    path_of(TARGET).write_text(json.dumps({**content, "versions": "another"}))
    assert recall(TARGET) == KnownDevice()
    # And what is learned now takes its place.
    remember(TARGET, KNOWN)
    assert recall(TARGET) == KNOWN


def test_calm_runtime_is_the_least_of_each_picture_s_size() -> None:
    known = KNOWN.with_calm((16, 24), 5.0).with_calm((32, 24), 9.0)
    assert (known.calm_ms((16, 24)), known.calm_ms((32, 24)), known.calm_ms((24, 32))) == (3.5, 9.0, None)
    assert known.with_calm((16, 24), 3.0).calm_ms((16, 24)) == 3.0


@pytest.mark.parametrize("content", ["{", "[]", "{}", '"text"', "\x00\x00"])
def test_broken_file_costs_a_warning_and_is_replaced(content: str) -> None:
    remember(TARGET, KNOWN)
    path_of(TARGET).write_text(content)
    told: list[Event] = []
    assert recall(TARGET, told.append) == KnownDevice()
    (warning,) = told
    assert isinstance(warning, Message)
    assert warning.text.startswith(f"{path_of(TARGET)} is not what an earlier search left there")
    remember(TARGET, KNOWN)
    assert recall(TARGET) == KNOWN


def test_folder_that_cannot_be_written_costs_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    told: list[Event] = []
    assert recall(TARGET, told.append) == KnownDevice()
    remember(TARGET, KNOWN, told.append)
    assert isinstance(told[-1], Message)
    assert told[-1].text.startswith("what was learned of the device is not kept for the next search: cannot write")


def test_broken_model_costs_a_warning() -> None:
    remember(TARGET, KNOWN)
    content = json.loads(path_of(TARGET).read_text())
    content["model"]["costs_ms"] = [-1.0]
    path_of(TARGET).write_text(json.dumps(content))
    told: list[Event] = []
    assert recall(TARGET, told.append) == KnownDevice()
    assert "the device is measured anew" in str(told[0])
