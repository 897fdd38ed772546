from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from sr.errors import InputError
from sr.measure.engines.onnx_runtime import OnnxRunner
from sr.measure.target import Target
from sr.onnx_graph import onnx_graph, part_graph
from sr.quantization.calibration import smooth_pictures
from sr.quantization.onnx_runtime import at_size, quantized, quantized_to_time

PICTURES = smooth_pictures([(1, 3, 24, 32), (1, 3, 30, 20)])


@pytest.fixture(scope="module")
def graph() -> bytes:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(8, 48, 3, padding=1), nn.PixelShuffle(4)]
    return onnx_graph(nn.Sequential(*layers).eval())


def weights_of(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the 8-bit tensors of four dimensions."""
    initializers = onnx.load_from_string(content).graph.initializer
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in initializers}
    return {name: array for name, array in arrays.items() if array.ndim == 4 and array.dtype.itemsize == 1}


def test_weights_are_signed_and_scaled_per_filter(graph: bytes) -> None:
    content = quantized(graph, PICTURES, "nothing", reduce_range=False)
    weights = weights_of(content)
    assert len(weights) == 2
    for array in weights.values():
        assert array.dtype == np.int8
        # Every filter reaches the end of its own range.
        assert (np.abs(array.astype(int)).max(axis=(1, 2, 3)) >= 126).all()


def test_reduced_range_takes_seven_bits(graph: bytes) -> None:
    for array in weights_of(quantized(graph, PICTURES, "nothing", reduce_range=True)).values():
        assert 60 <= np.abs(array.astype(int)).max() <= 64


def test_what_is_kept_stays_in_float(graph: bytes) -> None:
    assert len(weights_of(quantized(graph, PICTURES, "skip"))) == 2
    with_float_ends = onnx.load_from_string(quantized(graph, PICTURES, "ends"))
    assert not weights_of(with_float_ends.SerializeToString())


def test_fixed_size_holds_the_same_numbers(graph: bytes) -> None:
    free = quantized(graph, PICTURES)
    fixed = onnx.load_from_string(at_size(free, (24, 32)))
    assert [each.dim_value for each in fixed.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 24, 32]
    assert [each.dim_value for each in fixed.graph.output[0].type.tensor_type.shape.dim] == [1, 3, 96, 128]
    assert fixed.graph.initializer == onnx.load_from_string(free).graph.initializer
    onnx.checker.check_model(fixed, full_check=True)


@pytest.mark.parametrize("scale", [2, 3])
def test_fixed_size_is_of_the_scale(scale: int) -> None:
    network = nn.Sequential(nn.Conv2d(3, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale)).eval()
    fixed = onnx.load_from_string(at_size(onnx_graph(network), (24, 32), scale))
    shape = [each.dim_value for each in fixed.graph.output[0].type.tensor_type.shape.dim]
    assert shape == [1, 3, 24 * scale, 32 * scale]
    onnx.checker.check_model(fixed, full_check=True)


def test_pixels_are_shuffled_in_8_bits() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 48, 3, padding=1), nn.PixelShuffle(4)).eval()
    graph = quantized(onnx_graph(network), PICTURES, "nothing")
    nodes = onnx.load_from_string(graph).graph.node
    assert [node.op_type for node in nodes][-2:] == ["DepthToSpace", "DequantizeLinear"]
    onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    runner = OnnxRunner(graph, Target(torch.device("cpu"), dtype="int8", engine="onnxruntime"), PICTURES[:1])
    with torch.inference_mode():
        expected = network(PICTURES[0])
    # Shuffled wrongly it would differ by the span itself.
    assert float((runner.run(PICTURES[0]) - expected).abs().max()) <= 0.05 * float(expected.max() - expected.min())


def test_same_graph_is_quantised_once_to_be_timed() -> None:
    network = nn.Sequential(nn.Conv2d(3, 48, 3, padding=1), nn.PixelShuffle(4)).eval()
    graph = part_graph(network, [torch.rand(1, 3, 16, 16)], any_weights=True)
    assert quantized_to_time(graph) is quantized_to_time(graph)


def test_broken_graph_is_one_line() -> None:
    broken = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("Unknown", ["lr"], ["sr"], name="node")],
            "graph",
            [onnx.helper.make_tensor_value_info("lr", onnx.TensorProto.FLOAT, [1, 3, 8, 8])],
            [onnx.helper.make_tensor_value_info("sr", onnx.TensorProto.FLOAT, [1, 3, 32, 32])],
        )
    )
    with pytest.raises(InputError, match="onnxruntime cannot quantise this network") as caught:
        quantized(broken.SerializeToString(), PICTURES)
    assert "\n" not in str(caught.value)
