"""What earlier searches learned of a device, kept for the next one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.known_device import KnownDevice, path_of, recall, remember
from sr.errors import InputError
from sr.measure.latency_model import USUAL
from sr.measure.target import Target

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


@pytest.mark.parametrize("content", ["{", "[]", "{}", '"text"'])
def test_broken_file_is_named(content: str) -> None:
    remember(TARGET, KNOWN)
    path_of(TARGET).write_text(content)
    with pytest.raises(InputError, match="is not what an earlier search left there; delete it") as caught:
        recall(TARGET)
    assert str(path_of(TARGET)) in str(caught.value)


def test_broken_model_is_named() -> None:
    remember(TARGET, KNOWN)
    content = json.loads(path_of(TARGET).read_text())
    content["model"]["costs_ms"] = [-1.0]
    path_of(TARGET).write_text(json.dumps(content))
    with pytest.raises(InputError, match="delete it, it is made anew"):
        recall(TARGET)
