"""Quantisation after training for onnxruntime: ONNX in, ONNX with pairs of QuantizeLinear and DequantizeLinear out."""

import functools
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from torch import Tensor

from sr.checkpoint import one_line
from sr.errors import InputError
from sr.lr_size import LrSize
from sr.onnx_graph import REMEMBERED
from sr.quantization.calibration import smooth_pictures
from sr.quantization.config import DEFAULT_KEEP
from sr.quantization.parts import Operation, kept
from sr.quantization.processor import has_dot_products
from sr.scale import DEFAULT_SCALE

_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})


def quantized(
    graph: bytes,
    pictures: Sequence[Tensor | Sequence[Tensor]],
    keep: str = DEFAULT_KEEP,
    *,
    reduce_range: bool | None = None,
) -> bytes:
    """Return a network in 8 bits: activations unsigned and asymmetric per tensor, weights signed per channel.

    Args:
        graph: ONNX in float32, as of `sr.onnx_graph`.
        pictures: What the ranges are read off, (n, 3, h, w) in [0, 1] each; a sequence of tensors where the graph has
            several inputs.
        keep: What stays in float, a key of `KEEPS`.
        reduce_range: Whether weights take 7 bits, so that products do not saturate; None for where the processor is
            not known to have what adds them up without.

    Returns:
        The content of an ONNX file, which takes and gives float32 as before.

    Raises:
        InputError: Where the network cannot be quantised.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = onnx.load_from_string(graph)
    names = [entry.name for entry in model.graph.input]
    inputs = [[each] if isinstance(each, Tensor) else list(each) for each in pictures]
    with tempfile.TemporaryDirectory() as folder:
        prepared, result = Path(folder) / "prepared.onnx", Path(folder) / "quantized.onnx"
        try:
            quant_pre_process(model, prepared, skip_symbolic_shape=True, skip_optimization=True)
            quantize_static(
                prepared,
                result,
                _Reader([{name: _array(t) for name, t in zip(names, each, strict=True)} for each in inputs]),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=not has_dot_products() if reduce_range is None else reduce_range,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=kept(operations(model), keep),
                calibrate_method=CalibrationMethod.MinMax,
            )
        except Exception as error:  # it has no type of its own: ValueError, RuntimeError, AssertionError, ...
            raise InputError(f"onnxruntime cannot quantise this network: {one_line(error, 200)}") from error
        content: bytes = shuffled_in_8_bits(onnx.load(result)).SerializeToString()
        return content


@functools.lru_cache(maxsize=REMEMBERED)
def quantized_to_time(graph: bytes, keep: str = DEFAULT_KEEP) -> bytes:
    """Return a graph of fixed sizes in 8 bits with the ranges of a random picture: of its runtime's structure alone."""
    shapes = [
        [dimension.dim_value for dimension in entry.type.tensor_type.shape.dim]
        for entry in onnx.load_from_string(graph).graph.input
    ]
    return quantized(graph, [smooth_pictures(shapes)], keep)


def at_size(graph: bytes, lr_size: LrSize, scale: int = DEFAULT_SCALE) -> bytes:
    """Return a graph of free size that takes one LR picture of this size: the same, also in its steps of 8 bits.

    Args:
        graph: The content of an ONNX file.
        lr_size: Height and width.
        scale: How many times larger the picture is that it gives.
    """
    model = onnx.load_from_string(graph)
    height, width = lr_size
    _set_shape(model.graph.input[0], (1, 3, height, width))
    _set_shape(model.graph.output[0], (1, 3, scale * height, scale * width))
    # What was inferred in between has free dimensions in its names.
    del model.graph.value_info[:]
    content: bytes = model.SerializeToString()
    return content


def shuffled_in_8_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model, changed in place, that shuffles pixels before they become float: a quarter of the bytes to move.

    onnxruntime's quantiser leaves the pixel shuffle in float. It moves values and changes none, and where one scale
    stands for all of them it may as well come first.
    """
    nodes = list(model.graph.node)
    made_by = {value: node for node in nodes for value in node.output}
    read = Counter(value for node in nodes for value in node.input)
    single = {weights.name for weights in model.graph.initializer if not weights.dims}
    for shuffle in [node for node in nodes if node.op_type == "DepthToSpace"]:
        before = made_by.get(shuffle.input[0])
        if before is None or before.op_type != "DequantizeLinear" or read[before.output[0]] > 1:
            continue
        if before.input[1] not in single:
            continue
        moved = f"{before.input[0]}_shuffled"
        shuffle.input[0], before.input[0], before.output[0] = before.input[0], moved, shuffle.output[0]
        shuffle.output[0] = moved
        nodes.remove(before)
        nodes.insert(nodes.index(shuffle) + 1, before)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def operations(model: onnx.ModelProto) -> list[Operation]:
    """Return the nodes of a graph, in its order."""
    return [
        Operation(node.name, node.op_type in _CONVOLUTIONS, tuple(node.input), tuple(node.output))
        for node in model.graph.node
    ]


def _set_shape(value: onnx.ValueInfoProto, shape: Sequence[int]) -> None:
    """Give a value a fixed shape."""
    dimensions = value.type.tensor_type.shape.dim
    for dimension, size in zip(dimensions, shape, strict=True):
        dimension.dim_value = size


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().cpu().float().contiguous().numpy()
    return array


class _Reader:
    """Gives calibration its inputs one by one: what it asks of a CalibrationDataReader."""

    def __init__(self, feeds: Sequence[dict[str, NDArray[Any]]]) -> None:
        self._left: Iterator[dict[str, NDArray[Any]]] = iter(feeds)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """Return the next inputs by name, None after the last."""
        return next(self._left, None)
