from pathlib import Path

import pytest
import torch

from sr.errors import InputError
from sr.measure.engine_choice import with_engine
from sr.measure.target import Target
from sr.progress import Event

TARGET = Target(torch.device("cpu"), (16, 16))


def test_an_engine_by_name_is_taken(tmp_path: Path) -> None:
    assert with_engine(TARGET, "onnxruntime", path=tmp_path / "engines.json").engine == "onnxruntime"


def test_auto_takes_one_that_runs_what_is_shipped_says_so_and_remembers_it(tmp_path: Path) -> None:
    path, events = tmp_path / "engines.json", list[Event]()
    chosen = with_engine(TARGET, "auto", report=events.append, path=path)
    assert chosen.engine in ("onnxruntime", "openvino")
    assert chosen == TARGET.in_engine(chosen.engine)
    assert f"engine {chosen.engine}: " in str(events[0])
    assert with_engine(TARGET, "auto", path=path) == chosen


def test_auto_is_torch_where_nothing_else_runs_the_dtype(tmp_path: Path) -> None:
    meta = Target(torch.device("meta"), (16, 16))
    assert with_engine(meta, "auto", path=tmp_path / "engines.json").engine == "torch"


def test_an_engine_that_does_not_run_the_dtype_is_refused() -> None:
    with pytest.raises(InputError, match="--dtype int8"):
        with_engine(Target(torch.device("cpu"), dtype="int8"), "torch")
