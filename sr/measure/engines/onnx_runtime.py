"""onnxruntime: what runs ONNX files everywhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor, nn

from sr.checkpoint import one_line
from sr.errors import InputError
from sr.files import replacing
from sr.measure.engines.engine import picture_of, wall_ms
from sr.measure.target import Target
from sr.onnx_graph import onnx_graph, part_graph

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


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
                f"{target.device}; pip uninstall onnxruntime, then pip install onnxruntime-gpu"
            )
        if target.dtype != "float32":
            raise InputError(f"--engine onnxruntime runs float32 on {target.device}, got --dtype {target.dtype}")

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
        self.check(target)
        inputs = [picture_of(target)] if inputs is None else inputs
        return OnnxRunner(session(part_graph(module, inputs, any_weights=any_weights), target), inputs)

    def write(
        self,
        network: nn.Module,
        target: Target,
        path: Path,
        *,
        free_size: bool = False,
        calibration: Sequence[Tensor] | None = None,  # noqa: ARG002 - of int8
    ) -> None:
        """Write ONNX."""
        self.check(target)
        content = onnx_graph(network, None if free_size else target.lr_size)
        with replacing(path) as temporary:
            temporary.write_bytes(content)

    def open(self, path: Path, target: Target) -> "OnnxRunner":
        """Make an ONNX file of any origin ready to run."""
        self.check(target)
        if not path.is_file():
            raise InputError(f"no ONNX network at {path}")
        made = session(path, target)
        check_signature(path, made)
        return OnnxRunner(made, [picture_of(target)])


def session(model: bytes | Path, target: Target) -> onnxruntime.InferenceSession:
    """Return a session on the target's device with as many threads as torch has.

    Raises:
        InputError: Where onnxruntime cannot run the model.
    """
    options = onnxruntime.SessionOptions()
    # Of the four that there are: errors. What cannot be run is raised.
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that spin between runs would slow whatever is timed in the same rounds; it costs this engine nothing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    provider: Any = _PROVIDERS[target.device.type]
    if target.device.type == "cuda":
        provider = (provider, {"device_id": target.device.index or 0})
    try:
        return onnxruntime.InferenceSession(model, sess_options=options, providers=[provider])
    except Exception as error:  # onnxruntime has a type per cause, all direct children of Exception
        what = "this network" if isinstance(model, bytes) else str(model)
        raise InputError(f"{what} is no ONNX network that onnxruntime can run: {one_line(error, 200)}") from error


def check_signature(path: Path, made: onnxruntime.InferenceSession) -> None:
    """Raise InputError where a file takes something else than one RGB batch in float32."""
    inputs, outputs = made.get_inputs(), made.get_outputs()
    shapes = [entry.shape for entry in (*inputs, *outputs)]
    if len(inputs) != 1 or len(outputs) != 1 or any(len(shape) != 4 or shape[1] != 3 for shape in shapes):
        raise InputError(f"{path}: a network here takes one (n, 3, h, w) and gives one (n, 3, 4h, 4w), got {shapes}")
    if inputs[0].type != "tensor(float)":
        raise InputError(f"{path}: a network here takes float32, got {inputs[0].type}; export it in float32")


class OnnxRunner:
    """A session with its inputs; a `Runner`."""

    def __init__(self, made: onnxruntime.InferenceSession, inputs: Sequence[Tensor]) -> None:
        self._session = made
        self._names = [entry.name for entry in made.get_inputs()]
        self._feed = self._fed(inputs)

    @property
    def precision(self) -> str:
        """float32: the graph says so, and its kernels here compute in what the graph says."""
        return "float32"

    def execute(self) -> object:
        """Run on the inputs that it was prepared with."""
        return self._session.run(None, self._feed)

    def run(self, *inputs: Tensor) -> Tensor:
        """Return the output, on the device of the first input where one is given; InputError where it fails."""
        try:
            (output,) = self._session.run(None, self._fed(inputs) if inputs else self._feed)
        except Exception as error:  # as above
            raise InputError(f"onnxruntime cannot run this network: {one_line(error, 200)}") from error
        sr = torch.from_numpy(output)
        return sr.to(inputs[0].device) if inputs else sr

    def run_ms(self, *inputs: Tensor) -> float:
        """Return the milliseconds of one run, from a picture in this process's memory to one there."""
        feed = self._fed(inputs) if inputs else self._feed
        return wall_ms(lambda: self._session.run(None, feed))

    def peak_memory(self) -> int:
        """Return 0: its arena does not tell."""
        return 0

    def _fed(self, inputs: Sequence[Tensor]) -> dict[str, Any]:
        arrays = [tensor.detach().cpu().float().contiguous().numpy() for tensor in inputs]
        return dict(zip(self._names, arrays, strict=True))
