"""onnxruntime: what runs ONNX files everywhere."""

import functools
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from sr.checkpoint import one_line
from sr.deployment import portable
from sr.errors import InputError
from sr.files import replacing
from sr.measure.engines.engine import picture_of
from sr.measure.engines.typed import typed
from sr.measure.target import Target
from sr.measure.timing import wall_ms
from sr.network_scale import scale_of
from sr.onnx_graph import onnx_graph, part_graph
from sr.quantization.calibration import UNCALIBRATED, smooth_pictures
from sr.quantization.onnx_runtime import at_size, quantized, quantized_to_time

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# Of the weights of convolutions; which input they are, by the operator that the convolution became.
_PRECISIONS = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.INT8: "int8",
    onnx.TensorProto.UINT8: "int8",
}
_WEIGHTS = {"Conv": 1, "FusedConv": 1, "NhwcFusedConv": 1, "ConvTranspose": 1, "QLinearConv": 3}


class OnnxRuntime:
    """See `sr.measure.engines.engine.Engine`; its file is ONNX."""

    name = "onnxruntime"
    ending = ".onnx"
    memory_formats = ("contiguous",)

    def check(self, target: Target) -> None:
        """Raise InputError where it has no provider for the device, or runs no such dtype there."""
        if (
            target.device.type != "cpu"
            and _PROVIDERS.get(target.device.type) not in onnxruntime.get_available_providers()
        ):
            raise InputError(
                f"--engine onnxruntime: the onnxruntime that is installed runs on the CPU alone, asked for "
                f'{target.device}; pip uninstall -y onnxruntime, then pip install "onnxruntime-gpu[cuda,cudnn]"'
            )
        known = ("float32", "int8") if target.device.type == "cpu" else ("float32", "float16")
        if target.dtype not in known:
            runs = " and ".join(known)
            raise InputError(f"--engine onnxruntime runs {runs} on {target.device}, got --dtype {target.dtype}")

    def prepare(
        self,
        module: nn.Module,
        target: Target,
        inputs: Sequence[Tensor] | None = None,
        *,
        memory_format: str = "contiguous",  # noqa: ARG002 - there is one
        any_weights: bool = False,
    ) -> "OnnxRunner":
        """Turn a network into ONNX at the sizes of its inputs, and make a session of it."""
        inputs = [picture_of(target)] if inputs is None else inputs
        graph = part_graph(_in_dtype(module, target), inputs, any_weights=any_weights)
        if target.dtype == "int8":
            graph = quantized_to_time(graph)
        return OnnxRunner(graph, target, inputs)

    def write(
        self,
        network: nn.Module,
        target: Target,
        path: Path,
        *,
        free_size: bool = False,
        calibration: Sequence[Tensor] | None = None,
    ) -> None:
        """Write ONNX; in 8 bits that of a fixed size has the scales of that of a free one."""
        if target.dtype == "int8":
            pictures = calibration or smooth_pictures([UNCALIBRATED])
            content = quantized(onnx_graph(network), pictures)
            if not free_size:
                content = at_size(content, target.lr_size, scale_of(portable(network)))
        else:
            content = onnx_graph(_in_dtype(network, target), None if free_size else target.lr_size)
        with replacing(path) as temporary:
            temporary.write_bytes(content)

    def open(self, path: Path, target: Target) -> "OnnxRunner":
        """Make an ONNX file of any origin ready to run."""
        if not path.is_file():
            raise InputError(f"no ONNX network at {path}")
        return OnnxRunner(path, target, [picture_of(target)])


def _in_dtype(module: nn.Module, target: Target) -> nn.Module:
    """Return what the graph of a target's dtype is exported from; 8 bits are made of the graph in float32."""
    return typed(module, "float32" if target.dtype == "int8" else target.dtype)


def session(model: bytes | Path, target: Target, *, optimized: Path | None = None) -> onnxruntime.InferenceSession:
    """Return a session on the target's device with as many threads as torch has.

    Args:
        model: The content of a file, or a file.
        target: Where it runs.
        optimized: Where the graph that really runs is written; None for nowhere.

    Raises:
        InputError: Where onnxruntime cannot run the model.
    """
    options = onnxruntime.SessionOptions()
    # Of the four that there are: errors. What cannot be run is raised.
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that spin between runs would slow whatever is timed in the same rounds; it costs this engine nothing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    provider: Any = _PROVIDERS[target.device.type]
    if target.device.type == "cuda":
        # Its convolutions too would have 10 bits of float32's 23.
        provider = (provider, {"device_id": target.device.index or 0, "use_tf32": 0})
        # CUDA's and cuDNN's libraries out of the wheels that torch brings.
        getattr(onnxruntime, "preload_dlls", lambda: None)()
    try:
        made = onnxruntime.InferenceSession(model, sess_options=options, providers=[provider])
    except Exception as error:  # onnxruntime has a type per cause, all direct children of Exception
        what = "this network" if isinstance(model, bytes) else str(model)
        raise InputError(f"{what} is no ONNX network that onnxruntime can run: {one_line(error, 200)}") from error
    if made.get_providers()[0] != _PROVIDERS[target.device.type]:
        # It goes on with the CPU where CUDA's libraries do not load.
        raise InputError(f"--engine onnxruntime cannot load its CUDA provider for {target.device}; use --engine torch")
    return made


def check_signature(path: Path, made: onnxruntime.InferenceSession) -> None:
    """Raise InputError where a file takes something else than one RGB batch in float32."""
    inputs, outputs = made.get_inputs(), made.get_outputs()
    shapes = [entry.shape for entry in (*inputs, *outputs)]
    if len(inputs) != 1 or len(outputs) != 1 or any(len(shape) != 4 or shape[1] != 3 for shape in shapes):
        raise InputError(f"{path}: a network here takes one (n, 3, h, w) and gives one (n, 3, s*h, s*w), got {shapes}")
    if inputs[0].type != "tensor(float)":
        raise InputError(f"{path}: a network here takes float32, got {inputs[0].type}; export it in float32")


class OnnxRunner:
    """A session with its inputs; a `Runner`.

    Args:
        model: The content of an ONNX file, or a file.
        target: Where it runs.
        inputs: What it is run on.
    """

    def __init__(self, model: bytes | Path, target: Target, inputs: Sequence[Tensor]) -> None:
        self.session = session(model, target)
        if isinstance(model, Path):
            check_signature(model, self.session)
        self._model, self._target = model, target
        self._names = [entry.name for entry in self.session.get_inputs()]
        self._feed = self._fed(inputs)

    @functools.cached_property
    def precision(self) -> str:
        """What the weights of most of its convolutions are in the graph that onnxruntime made of it."""
        content = self._model if isinstance(self._model, bytes) else self._model.read_bytes()
        if b"QuantizeLinear" not in content and b"QLinear" not in content:
            # Nothing in it is in 8 bits, and its kernels compute in what the graph says.
            return "float32" if self._target.device.type == "cpu" else precision_of(onnx.load_from_string(content))
        with tempfile.TemporaryDirectory() as folder:
            optimized = Path(folder) / "optimized.onnx"
            session(self._model, self._target, optimized=optimized)
            return precision_of(onnx.load(optimized))

    @property
    def execution(self) -> str:
        """Nothing to choose."""
        return ""

    def execute(self) -> object:
        """Run on the inputs that it was prepared with."""
        return self.session.run(None, self._feed)

    def run(self, *inputs: Tensor) -> Tensor:
        """Return the output, on the device of the first input where one is given; InputError where it fails."""
        try:
            (output,) = self.session.run(None, self._fed(inputs) if inputs else self._feed)
        except Exception as error:  # as above
            raise InputError(f"onnxruntime cannot run this network: {one_line(error, 200)}") from error
        sr = torch.from_numpy(output)
        return sr.to(inputs[0].device) if inputs else sr

    def run_ms(self, *inputs: Tensor) -> float:
        """Return the milliseconds of one run, from a picture in this process's memory to one there."""
        feed = self._fed(inputs) if inputs else self._feed
        return wall_ms(lambda: self.session.run(None, feed))

    def peak_memory(self) -> int:
        """Return 0: its arena does not tell."""
        return 0

    def _fed(self, inputs: Sequence[Tensor]) -> dict[str, Any]:
        arrays = [tensor.detach().cpu().float().contiguous().numpy() for tensor in inputs]
        return dict(zip(self._names, arrays, strict=True))


def precision_of(model: onnx.ModelProto) -> str:
    """Return the type of the weights of most convolutions of a graph, a name of `DTYPE_NAMES`; float32 without any."""
    types = {weights.name: weights.data_type for weights in model.graph.initializer}
    found = Counter(
        _PRECISIONS.get(types[node.input[_WEIGHTS[node.op_type]]], "unknown")
        for node in model.graph.node
        if node.op_type in _WEIGHTS and node.input[_WEIGHTS[node.op_type]] in types
    )
    return found.most_common(1)[0][0] if found else "float32"
