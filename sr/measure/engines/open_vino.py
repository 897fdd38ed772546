"""OpenVINO: what runs networks fastest on most x86 processors."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sr.checkpoint import one_line
from sr.errors import InputError
from sr.files import replacing
from sr.measure.engines.engine import picture_of, require
from sr.measure.target import Target
from sr.measure.timing import wall_ms
from sr.onnx_graph import REMEMBERED, onnx_graph, part_graph
from sr.quantization.calibration import UNCALIBRATED, smooth_pictures
from sr.quantization.open_vino import at_size, quantized

# Its own names for precisions, in hints and in what it says of operators that ran.
# What an int8 network keeps in float stays what it was: by itself it would take bfloat16 where the processor has it.
_HINTS = {"float32": "f32", "float16": "f16", "bfloat16": "bf16", "int8": "f32"}
# What limits the instructions that oneDNN takes.
_LIMITS = ("DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA")
# What a file may take. Of a picture in [0, 1] whole numbers would be black, without a word.
_TAKEN = ("f16", "f32", "f64")
_RAN = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "u8": "int8"}


class OpenVino:
    """See `sr.measure.engines.engine.Engine`; its file is OpenVINO's IR: an .xml, its weights in a .bin."""

    name = "openvino"
    ending = ".xml"
    memory_formats = ("contiguous",)

    def check(self, target: Target) -> None:
        """Raise InputError where it is not installed, or does not run the dtype on this processor."""
        require("openvino", self.name, "pip install openvino")
        if target.device.type != "cpu":
            raise InputError(f"--engine openvino runs on the CPU, got --device {target.device}; name another engine")
        for limit in _LIMITS:
            if os.environ.get(limit):
                # It picks kernels by the processor, and oneDNN, which it brings, then has none of them.
                raise InputError(
                    f"--engine openvino does not run where {limit} is set; unset it, or name another engine"
                )
        capabilities = {"float32": "FP32", "float16": "FP16", "bfloat16": "BF16", "int8": "INT8"}
        if capabilities.get(target.dtype) not in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise InputError(f"--engine openvino does not run {target.dtype} on this processor; use --dtype float32")
        if target.dtype == "int8":
            require("nncf", "openvino with --dtype int8", "pip install nncf")

    def prepare(
        self,
        module: nn.Module,
        target: Target,
        inputs: Sequence[Tensor] | None = None,
        *,
        memory_format: str = "contiguous",  # noqa: ARG002 - there is one
        any_weights: bool = False,
    ) -> "OpenVinoRunner":
        """Turn a network into ONNX at the sizes of its inputs, and compile that."""
        inputs = [picture_of(target)] if inputs is None else inputs
        graph = part_graph(module, inputs, any_weights=any_weights)
        return OpenVinoRunner(compiled(_quantized_to_time(graph) if target.dtype == "int8" else graph, target), inputs)

    def write(
        self,
        network: nn.Module,
        target: Target,
        path: Path,
        *,
        free_size: bool = False,
        calibration: Sequence[Tensor] | None = None,
    ) -> None:
        """Write IR; in 8 bits that of a fixed size has the scales of that of a free one."""
        if target.dtype == "int8":
            pictures = calibration or smooth_pictures([UNCALIBRATED])
            model = quantized(read_graph(onnx_graph(network)), pictures)
            model = model if free_size else at_size(model, target.lr_size)
        else:
            model = read_graph(onnx_graph(network, None if free_size else target.lr_size))
        write_ir(model, path)

    def open(self, path: Path, target: Target) -> "OpenVinoRunner":
        """Make an IR or ONNX file ready to run."""
        if not path.is_file():
            raise InputError(f"no network at {path}")
        try:
            read = _core().read_model(path)
        except (RuntimeError, UnicodeDecodeError) as error:  # the second where its own words hold bytes of the file
            raise InputError(f"{path} is no network that openvino can run: {one_line(error, 200)}") from error
        _check_signature(path, read)
        return OpenVinoRunner(compiled(read, target), [picture_of(target)])


def _check_signature(path: Path, model: Any) -> None:  # noqa: ANN401 - the package may not be installed
    """Raise InputError where a file takes something else than one RGB batch of floats, before OpenVINO dies of it."""
    shapes = [entry.get_partial_shape() for entry in (*model.inputs, *model.outputs)]
    fits = all(
        shape.rank.is_static and len(shape) == 4 and (shape[1].is_dynamic or shape[1].get_length() == 3)
        for shape in shapes
    )
    if len(model.inputs) != 1 or len(model.outputs) != 1 or not fits:
        raise InputError(
            f"{path}: a network here takes one (n, 3, h, w) and gives one (n, 3, s*h, s*w), got "
            f"{', '.join(map(str, shapes)) or 'nothing'}"
        )
    taken = model.inputs[0].get_element_type().get_type_name()
    if taken not in _TAKEN:
        raise InputError(f"{path}: a network here takes float32, got {taken}; export it in float32")


def read_graph(graph: bytes) -> Any:  # noqa: ANN401 - the package may not be installed
    """Return ONNX as an openvino.Model."""
    return _core().read_model(graph)


def write_ir(model: Any, path: Path) -> None:  # noqa: ANN401 - as above
    """Write an openvino.Model as IR: the .xml, and the .bin with the weights beside it."""
    import openvino

    with replacing(path.with_suffix(".bin")) as weights, replacing(path) as temporary:
        openvino.serialize(model, str(temporary), str(weights))


@functools.lru_cache(maxsize=REMEMBERED)
def _quantized_to_time(graph: bytes) -> Any:  # noqa: ANN401 - as above
    """Return ONNX of fixed sizes in 8 bits with the ranges of a random picture: of its runtime's structure alone."""
    model = read_graph(graph)
    return quantized(model, [smooth_pictures([list(entry.shape) for entry in model.inputs])])


@functools.cache
def _core() -> Any:  # noqa: ANN401 - as above
    """Return what reads and compiles networks: one for the process."""
    import openvino

    return openvino.Core()


def compiled(model: Any, target: Target) -> Any:  # noqa: ANN401 - as above
    """Return a network compiled for one picture at a time, with as many threads as torch has.

    Args:
        model: ONNX, a file, or an openvino.Model.
        target: What it is compiled for.

    Raises:
        InputError: Where OpenVINO cannot run the model.
    """
    # By itself it takes bfloat16 where the processor has it.
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": _HINTS[target.dtype],
    }
    try:
        read = _core().read_model(model) if isinstance(model, bytes | Path) else model
        return _core().compile_model(read, "CPU", options)
    except RuntimeError as error:
        what = str(model) if isinstance(model, Path) else "this network"
        raise InputError(f"{what} is no network that openvino can run: {one_line(error, 200)}") from error


class OpenVinoRunner:
    """A compiled network with its inputs; a `Runner`."""

    def __init__(self, made: Any, inputs: Sequence[Tensor]) -> None:  # noqa: ANN401 - as above
        self._compiled, self._request = made, made.create_infer_request()
        self._inputs = _arrays(inputs)

    @functools.cached_property
    def precision(self) -> str:
        """What most of its convolutions run in, as the compiled graph says."""
        operators = self._compiled.get_runtime_model().get_ops()
        ran = [
            operator.get_rt_info()["runtimePrecision"].astype(str).lower()
            for operator in operators
            if "conv" in operator.get_rt_info()["layerType"].astype(str).lower()
        ]
        most = max(ran, key=ran.count) if ran else "f32"
        return _RAN.get(most, most)

    @property
    def execution(self) -> str:
        """Nothing to choose."""
        return ""

    def execute(self) -> object:
        """Run on the inputs that it was prepared with."""
        return self._request.infer(self._inputs)

    def run(self, *inputs: Tensor) -> Tensor:
        """Return the output, on the device of the first input where one is given; InputError where it fails."""
        try:
            output = self._request.infer(_arrays(inputs) if inputs else self._inputs)[0]
        except RuntimeError as error:
            raise InputError(f"openvino cannot run this network: {one_line(error, 200)}") from error
        # A copy: the request writes its next output into the same memory.
        sr = torch.from_numpy(output.copy())
        return sr.to(inputs[0].device) if inputs else sr

    def run_ms(self, *inputs: Tensor) -> float:
        """Return the milliseconds of one run, from a picture in this process's memory to one there."""
        arrays = _arrays(inputs) if inputs else self._inputs
        return wall_ms(lambda: self._request.infer(arrays))

    def peak_memory(self) -> int:
        """Return 0: it does not tell."""
        return 0


def _arrays(inputs: Sequence[Tensor]) -> list[Any]:
    return [tensor.detach().cpu().float().contiguous().numpy() for tensor in inputs]
