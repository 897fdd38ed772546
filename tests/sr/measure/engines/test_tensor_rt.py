"""What of TensorRT needs no GPU: the graph that it is given, and what it is asked in vain."""

from typing import Any

import onnx
import pytest
import torch
from torch import nn

from sr.errors import InputError
from sr.measure.engines.tensor_rt import TensorRt, TensorRtRunner
from sr.measure.engines.typed import typed
from sr.measure.target import Target
from sr.onnx_graph import onnx_graph, part_graph

FLOATS = {"float16": onnx.TensorProto.FLOAT16, "bfloat16": onnx.TensorProto.BFLOAT16}


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4)).eval()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("lr_size", [None, (16, 24)])
def test_typed_graph_computes_in_the_dtype_with_float32_outside(dtype: str, lr_size: tuple[int, int] | None) -> None:
    plain = network()
    graph = onnx.load_from_string(onnx_graph(typed(plain, dtype), lr_size)).graph
    assert {tensor.data_type for tensor in graph.initializer if len(tensor.dims) == 4} == {FLOATS[dtype]}
    ends = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    assert ends == {onnx.TensorProto.FLOAT}
    assert [node.op_type for node in graph.node].count("Cast") == 2
    assert next(plain.parameters()).dtype == torch.float32


def test_typed_part_takes_as_many_inputs_as_it_has() -> None:
    class Sum(nn.Module):
        def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            return one + other

    inputs = [torch.rand(1, 8, 16, 16), torch.rand(1, 8, 16, 16)]
    graph = onnx.load_from_string(part_graph(typed(Sum(), "float16"), inputs)).graph
    assert [value.name for value in graph.input] == ["in0", "in1"]


def test_a_network_in_float32_is_exported_as_it_is() -> None:
    plain = network()
    assert typed(plain, "float32") is plain


def test_a_cpu_is_refused_in_one_line_installed_or_not() -> None:
    with pytest.raises(InputError, match="--engine tensorrt runs on NVIDIA GPUs, got --device cpu") as caught:
        TensorRt().check(Target(torch.device("cpu"), engine="tensorrt"))
    assert "\n" not in str(caught.value)


class Stream:
    """A stream that notes what waits for what."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name, self.notes = name, notes

    def wait_stream(self, other: "Stream") -> None:
        self.notes.append(f"{self.name} waits for {other.name}")


def test_run_on_a_stream_of_its_own_is_part_of_what_is_timed_on_the_current_one(
    cuda: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two events of the current stream would have nothing but the launch between them."""
    notes: list[str] = []
    runner = TensorRtRunner.__new__(TensorRtRunner)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream(f"stream of {device.index}", notes))
    monkeypatch.setattr(TensorRtRunner, "_execute", lambda _runner, _tensors: notes.append("runs"))
    vars(runner).update(
        _target=Target(torch.device("cuda", 1), engine="tensorrt"), _stream=Stream("its own", notes),
        _prepared=[torch.ones(1)],
    )  # fmt: skip
    runner.execute()
    assert notes == ["its own waits for stream of 1", "runs", "stream of 1 waits for its own"]
    assert cuda.current == 0
