"""TensorRT, versions 10 and 11: what runs networks fastest on NVIDIA's GPUs."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sr.checkpoint import one_line
from sr.deployment import DTYPES
from sr.errors import InputError
from sr.files import replacing
from sr.measure.engines.engine import picture_of, require
from sr.measure.engines.typed import typed
from sr.measure.target import Target
from sr.measure.timing import GpuClock, cuda_ms
from sr.onnx_graph import onnx_graph, part_graph

# Batch and sides that a plan of free size runs: least, what it is tuned for, most.
_FREE_SHAPES = ((1, 3, 16, 16), (1, 3, 256, 256), (4, 3, 1088, 1920))
# The first GPUs that compute in bfloat16.
_AMPERE = (8, 0)


class TensorRt:
    """See `sr.measure.engines.engine.Engine`; its file is a plan, which runs on one kind of GPU alone."""

    name = "tensorrt"
    ending = ".plan"
    memory_formats = ("contiguous",)

    def check(self, target: Target) -> None:
        """Raise InputError where there is no GPU, it is not installed, or does not run the dtype there."""
        if target.device.type != "cuda":
            raise InputError(
                f"--engine tensorrt runs on NVIDIA GPUs, got --device {target.device}; name another engine"
            )
        # The wheel of another CUDA than torch's loads, and finds no GPU.
        cuda = (torch.version.cuda or "").partition(".")[0]
        require("tensorrt", self.name, f"pip install tensorrt-cu{cuda}" if cuda else "pip install tensorrt")
        if target.dtype not in DTYPES:
            raise InputError(f"--engine tensorrt runs {', '.join(DTYPES)}, got --dtype {target.dtype}")
        if target.dtype == "bfloat16" and torch.cuda.get_device_capability(target.device) < _AMPERE:
            raise InputError(f"--engine tensorrt does not run bfloat16 on {target.device}; use --dtype float16")

    def prepare(
        self,
        module: nn.Module,
        target: Target,
        inputs: Sequence[Tensor] | None = None,
        *,
        memory_format: str = "contiguous",  # noqa: ARG002 - there is one
        any_weights: bool = False,
    ) -> "TensorRtRunner":
        """Build a plan at the sizes of the inputs, which takes seconds, and load it."""
        inputs = [picture_of(target)] if inputs is None else inputs
        graph = part_graph(typed(module, target.dtype), inputs, any_weights=any_weights)
        return TensorRtRunner(_plan(graph, target, free_size=False), inputs, target)

    def write(
        self,
        network: nn.Module,
        target: Target,
        path: Path,
        *,
        free_size: bool = False,
        calibration: Sequence[Tensor] | None = None,  # noqa: ARG002 - of int8
    ) -> None:
        """Write a plan."""
        graph = onnx_graph(typed(network, target.dtype), None if free_size else target.lr_size)
        plan = _plan(graph, target, free_size=free_size)
        with replacing(path) as temporary:
            temporary.write_bytes(plan)

    def open(self, path: Path, target: Target) -> "TensorRtRunner":
        """Make a plan ready to run."""
        if not path.is_file():
            raise InputError(f"no network at {path}")
        return TensorRtRunner(path.read_bytes(), [picture_of(target)], target)


@functools.cache
def _logger() -> Any:  # noqa: ANN401 - the package may not be installed
    """Return the process's one logger, which prints nothing and keeps the last error."""
    import tensorrt

    class Kept(tensorrt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            tensorrt.ILogger.__init__(self)
            self.last = ""

        def log(self, severity: Any, text: str) -> None:  # noqa: ANN401 - as above
            if severity in (tensorrt.ILogger.ERROR, tensorrt.ILogger.INTERNAL_ERROR):
                self.last = text

    return Kept()


def _plan(graph: bytes, target: Target, *, free_size: bool) -> bytes:
    """Build a plan that computes in the types of an ONNX graph; raises InputError where TensorRT cannot run it."""
    import tensorrt

    with torch.cuda.device(target.device):
        builder = tensorrt.Builder(_logger())
        # Strongly typed: what runs is what the graph says. From version 11 on there is nothing else.
        typed_flag = getattr(tensorrt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        network = builder.create_network(0 if typed_flag is None else 1 << int(typed_flag))
        parser = tensorrt.OnnxParser(network, _logger())
        if not parser.parse(graph):
            reasons = "; ".join(str(parser.get_error(number).desc()) for number in range(parser.num_errors))
            raise InputError(f"this network is none that tensorrt can run: {' '.join(reasons.split())[:200]}")
        config = builder.create_builder_config()
        # It is on by default, and has 10 bits where float32 has 23.
        config.clear_flag(tensorrt.BuilderFlag.TF32)
        if free_size:
            profile = builder.create_optimization_profile()
            profile.set_shape(network.get_input(0).name, *_FREE_SHAPES)
            config.add_optimization_profile(profile)
        plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise InputError(f"tensorrt built no plan for this network: {_last_error()}")
    return bytes(plan)


def _last_error() -> str:
    """Return what TensorRT said last of what went wrong, in one line."""
    return " ".join(_logger().last.split())[:200] or "it does not say why"


class TensorRtRunner:
    """A plan with its inputs on the GPU; a `Runner`."""

    def __init__(self, plan: bytes, inputs: Sequence[Tensor], target: Target) -> None:
        import tensorrt

        self._target, self._inputs, self._plan_bytes = target, inputs, len(plan)
        self._clock = GpuClock(target.device)
        with torch.cuda.device(target.device):
            # On the default stream TensorRT waits for everything else at each run.
            self._stream = torch.cuda.Stream(target.device)
            self._runtime = tensorrt.Runtime(_logger())
            self._engine = self._runtime.deserialize_cuda_engine(plan)
            if self._engine is None:
                raise InputError(
                    f"this is no plan of the TensorRT that is installed for this GPU, export the network again: "
                    f"{_last_error()}"
                )
            self._context = self._engine.create_execution_context()
        if self._context is None:
            raise InputError(f"tensorrt has no room for this network: {_last_error()}")
        names = [self._engine.get_tensor_name(number) for number in range(self._engine.num_io_tensors)]
        is_input = {name: self._engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT for name in names}
        self._inputs_named = [name for name in names if is_input[name]]
        self._output_named = next(name for name in names if not is_input[name])

    @property
    def precision(self) -> str:
        """The dtype asked for: the plan is strongly typed and without TF32, so that it has no choice."""
        return self._target.dtype

    @property
    def execution(self) -> str:
        """Nothing to choose."""
        return ""

    def execute(self) -> object:
        """Run on the inputs that it was prepared with."""
        current = torch.cuda.current_stream(self._target.device)
        # Who times it does so on the stream that is current, on which without these nothing would happen.
        self._stream.wait_stream(current)
        self._execute(self._prepared)
        current.wait_stream(self._stream)
        return self._prepared[-1]

    def run(self, *inputs: Tensor) -> Tensor:
        """Return the output in float32, on the device of the first input where one is given."""
        tensors = self._bound(inputs) if inputs else self._prepared
        self._execute(tensors)
        self._stream.synchronize()
        # A copy: the next run writes into the same memory.
        sr = tensors[-1].float().clone()
        return sr.to(inputs[0].device) if inputs else sr

    def run_ms(self, *inputs: Tensor) -> float:
        """Return the milliseconds of one run, from a picture on the GPU to one there."""
        tensors = self._bound(inputs) if inputs else self._prepared
        with torch.cuda.stream(self._stream):
            if inputs:
                return cuda_ms(lambda: self._execute(tensors), self._target.device)
            return self._clock.ms(lambda: self._execute(tensors))

    def peak_memory(self) -> int:
        """Return the bytes of the plan, which is mostly weights, of its workspace, and of input and output."""
        held = sum(tensor.nbytes for tensor in self._prepared)
        return int(self._engine.device_memory_size_v2) + self._plan_bytes + held

    @functools.cached_property
    def _prepared(self) -> list[Tensor]:
        """What it runs on without inputs."""
        return self._bound(self._inputs)

    def _bound(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return the inputs on the GPU with room for the output last; InputError for a size that the plan lacks."""
        placed = [tensor.to(self._target.device, torch.float32).contiguous() for tensor in inputs]
        self._set_shapes(placed)
        output = torch.empty(tuple(self._context.get_tensor_shape(self._output_named)), device=self._target.device)
        # What another stream has just copied is there before this one reads it.
        self._stream.wait_stream(torch.cuda.current_stream(self._target.device))
        return [*placed, output]

    def _set_shapes(self, inputs: Sequence[Tensor]) -> None:
        for name, tensor in zip(self._inputs_named, inputs, strict=True):
            if not self._context.set_input_shape(name, tuple(tensor.shape)):
                raise InputError(f"this plan does not run {tuple(tensor.shape)}: {_last_error()}")

    def _execute(self, tensors: Sequence[Tensor]) -> None:
        self._set_shapes(tensors[:-1])
        for name, tensor in zip([*self._inputs_named, self._output_named], tensors, strict=True):
            self._context.set_tensor_address(name, tensor.data_ptr())
        try:
            ran = self._context.execute_async_v3(self._stream.cuda_stream)
        except RuntimeError as error:
            raise InputError(f"tensorrt cannot run this network: {one_line(error, 200)}") from error
        if not ran:
            raise InputError(f"tensorrt could not run this network: {_last_error()}")
