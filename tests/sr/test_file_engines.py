"""Which engine runs a file."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from sr.constraints import ENGINE_NAMES
from sr.errors import InputError
from sr.file_engines import file_engine, is_checkpoint, lr_size_of


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


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ([1, 3, 16, 24], (16, 24)),
        (["n", 3, "h", "w"], (None, None)),
        ([1, 3, 540, "w"], (540, None)),
        ([1, 3], (None,) * 2),
    ],
)
def test_onnx_tells_its_size(shape: list[int | str], expected: tuple[int | None, int | None], tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("lr", TensorProto.FLOAT, shape)
    result = helper.make_tensor_value_info("sr", TensorProto.FLOAT, shape)
    graph = helper.make_graph([helper.make_node("Relu", ["lr"], ["sr"])], "g", [value], [result])
    onnx.save(helper.make_model(graph), tmp_path / "a.onnx")
    assert lr_size_of(tmp_path / "a.onnx") == expected


@pytest.mark.parametrize(
    ("shape", "expected"), [("1,3,16,24", (16, 24)), ("?,3,?,?", (None, None)), ("-1,3,16,-1", (16, None))]
)
def test_ir_tells_its_size(shape: str, expected: tuple[int | None, int | None], tmp_path: Path) -> None:
    layer = f'<layer id="0" name="lr" type="Parameter" version="opset1">\n\t<data shape="{shape}" element_type="f32" />'
    (tmp_path / "a.xml").write_text(f'<?xml version="1.0"?>\n<net name="n">\n<layers>\n{layer}</layer></layers></net>')
    assert lr_size_of(tmp_path / "a.xml") == expected


def test_other_files_tell_none(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no network")
    (tmp_path / "a.xml").write_bytes(b"\xff no network")
    for name in ("a.onnx", "a.xml", "missing.onnx", "a.pth", "a.plan"):
        assert lr_size_of(tmp_path / name) == (None, None)
