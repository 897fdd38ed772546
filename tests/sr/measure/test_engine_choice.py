import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sr.errors import InputError
from sr.measure.device_lock import busy_seconds
from sr.measure.engine_choice import with_engine
from sr.measure.engines.registry import usable
from sr.measure.gpu_state import GpuState
from sr.measure.target import Target
from sr.progress import Event

TARGET = Target(torch.device("cpu"), (16, 16))


def test_an_engine_by_name_is_taken(tmp_path: Path) -> None:
    assert with_engine(TARGET, "onnxruntime", path=tmp_path / "engines.json").engine == "onnxruntime"


@pytest.fixture
def several() -> None:
    """Skip where there is nothing to compare: OpenVINO is left out where the processor is told to be an older one."""
    if len(usable(TARGET, ("onnxruntime", "openvino", "tensorrt"))) < 2:
        pytest.skip("one engine alone runs what is shipped here")


class Watched:
    """A device of which it is told whether others were at work on it, look by look; `sr.measure.watch.Watch`."""

    def __init__(self, *disturbed: bool) -> None:
        self.left = list(disturbed)

    def wait_until_idle(self, longest_seconds: float) -> bool:
        assert longest_seconds > 0
        return True

    def begin(self) -> None:
        pass

    def disturbed(self) -> bool:
        return self.left.pop(0)

    def state(self) -> GpuState:
        return GpuState()


@pytest.mark.usefixtures("several")
def test_auto_takes_one_that_runs_what_is_shipped_says_so_and_remembers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Watched(True, False)
    monkeypatch.setattr("sr.measure.engine_choice.watch_of", lambda _: device)
    monkeypatch.setattr("sr.measure.engine_choice._ATTEMPTS", 4)
    path, events = tmp_path / "engines.json", list[Event]()
    chosen = with_engine(TARGET, "auto", report=events.append, path=path)
    assert chosen.engine in ("onnxruntime", "openvino")
    assert chosen == TARGET.in_engine(chosen.engine)
    assert f"engine {chosen.engine}: " in str(events[0])
    # Once it was compared on an idle device it is not looked at again.
    assert not device.left
    assert with_engine(TARGET, "auto", path=path) == chosen
    # Another size is compared by itself, and the first one stays known.
    device.left = [False]
    with_engine(replace(TARGET, lr_size=(24, 24)), "auto", path=path)
    assert not device.left
    assert with_engine(TARGET, "auto", path=path) == chosen


@pytest.mark.usefixtures("several")
def test_what_was_compared_beside_other_programs_is_not_remembered(tmp_path: Path) -> None:
    if busy_seconds() is None:
        pytest.skip("this system does not say what other programs use")
    path, events = tmp_path / "engines.json", list[Event]()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            chosen = with_engine(TARGET, "auto", report=events.append, path=path)
        finally:
            other.kill()
    assert chosen.engine in ("onnxruntime", "openvino")
    assert any("beside the other programs that are at work, to be compared again" in str(event) for event in events)
    assert not path.exists()


def test_auto_is_torch_where_nothing_else_runs_the_dtype(tmp_path: Path) -> None:
    meta = Target(torch.device("meta"), (16, 16))
    assert with_engine(meta, "auto", path=tmp_path / "engines.json").engine == "torch"


def test_an_engine_that_does_not_run_the_dtype_is_refused() -> None:
    with pytest.raises(InputError, match="--dtype int8"):
        with_engine(Target(torch.device("cpu"), dtype="int8"), "torch")
