"""Which engine runs a file."""

from pathlib import Path

import pytest

from sr.constraints import ENGINE_NAMES
from sr.errors import InputError
from sr.file_engines import file_engine, is_checkpoint


@pytest.mark.parametrize(
    ("name", "engine"),
    [("a.pth", "torch"), ("a.onnx", "onnxruntime"), ("A.ONNX", "onnxruntime"), ("a.xml", "openvino"),
     ("a.plan", "tensorrt"), ("a", "torch")],
)  # fmt: skip
def test_a_file_has_an_engine_that_it_is_for(name: str, engine: str) -> None:
    assert file_engine(Path(name)) == engine
    assert file_engine(Path(name), engine) == engine
    assert is_checkpoint(Path(name)) == (engine == "torch")


def test_a_checkpoint_runs_in_every_engine_of_free_size_and_onnx_in_two() -> None:
    for engine in sorted(set(ENGINE_NAMES) - {"torch-compile"}):
        assert file_engine(Path("a.pth"), engine) == engine
    assert file_engine(Path("a.onnx"), "openvino") == "openvino"


@pytest.mark.parametrize(
    ("name", "engine", "message"),
    [
        ("a.onnx", "torch", r"does not run a \.onnx file, such as a\.onnx; onnxruntime or openvino does"),
        ("a.xml", "onnxruntime", r"does not run a \.xml file"),
        ("a.pth", "torch-compile", "does not run pictures of any size in a checkpoint"),
        ("a.pth", "ncnn", "--engine must be one of auto, onnxruntime"),
    ],
)
def test_an_engine_that_does_not_run_a_file_is_one_line(name: str, engine: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        file_engine(Path(name), engine)
    assert "\n" not in str(caught.value)
