"""TensorRT: what runs networks fastest on NVIDIA's GPUs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sr.deployment import DTYPES, in_dtype
from sr.errors import InputError
from sr.files import replacing
from sr.lr_size import SCALE
from sr.measure.engines.engine import picture_of, require
from sr.measure.target import Target
from sr.measure.timing import cuda_ms
from sr.onnx_graph import onnx_graph, part_graph

# Batch and sides that a plan of free size runs, and what it is tuned for.
_FREE_SHAPES = ((1, 3, 16, 16), (1, 3, 256, 256), (4, 3, 1088, 1920))


class TensorRt:
    """See `sr.measure.engines.engine.Engine`; its file is a plan, which runs on one kind of GPU alone."""

    name = "tensorrt"
    ending = ".plan"
    memory_formats = ("contiguous",)

    def check(self, target: Target) -> None:
        """Raise InputError where it is not installed, or does not run the dtype."""
        require("tensorrt", self.name, "pip install tensorrt")
        if target.device.type != "cuda":
            raise InputError(
                f"--engine tensorrt runs on NVIDIA GPUs, got --device {target.device}; name another engine"
            )
        if target.dtype not in DTYPES:
            raise InputError(f"--engine tensorrt runs {', '.join(DTYPES)}, got --dtype {target.dtype}")

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
        self.check(target)
        inputs = [picture_of(target)] if inputs is None else inputs
        graph = part_graph(in_dtype(module, target.dtype), inputs, any_weights=any_weights)
        return TensorRtRunner(_plan(graph, free_size=False), inputs, target)

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
        self.check(target)
        graph = onnx_graph(in_dtype(network, target.dtype), None if free_size else target.lr_size)
        plan = _plan(graph, free_size=free_size)
        with replacing(path) as temporary:
            temporary.write_bytes(plan)

    def open(self, path: Path, target: Target) -> "TensorRtRunner":
        """Make a plan ready to run."""
        self.check(target)
        if not path.is_file():
            raise InputError(f"no network at {path}")
        return TensorRtRunner(path.read_bytes(), [picture_of(target)], target)


def _logger() -> Any:  # noqa: ANN401 - the package may not be installed
    import tensorrt

    return tensorrt.Logger(tensorrt.Logger.ERROR)


def _plan(graph: bytes, *, free_size: bool) -> bytes:
    """Build a plan that computes in the types of an ONNX graph; raises InputError where TensorRT cannot run it."""
    import tensorrt

    logger = _logger()
    builder = tensorrt.Builder(logger)
    # Strongly typed: what runs is what the graph says. From version 11 on there is nothing else.
    typed = getattr(tensorrt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if typed is None else 1 << int(typed))
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(graph):
        reasons = "; ".join(str(parser.get_error(number).desc()) for number in range(parser.num_errors))
        raise InputError(f"this network is none that tensorrt can run: {' '.join(reasons.split())[:200]}")
    config = builder.create_builder_config()
    if free_size:
        profile = builder.create_optimization_profile()
        profile.set_shape(network.get_input(0).name, *_FREE_SHAPES)
        config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise InputError("tensorrt built no plan for this network; use --engine torch")
    return bytes(plan)


class TensorRtRunner:
    """A plan with its inputs on the GPU; a `Runner`."""

    def __init__(self, plan: bytes, inputs: Sequence[Tensor], target: Target) -> None:
        import tensorrt

        self._target, self._runtime = target, tensorrt.Runtime(_logger())
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise InputError("this is no plan of the TensorRT that is installed for this GPU; export the network again")
        self._context = self._engine.create_execution_context()
        names = [self._engine.get_tensor_name(number) for number in range(self._engine.num_io_tensors)]
        is_input = {name: self._engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT for name in names}
        self._inputs_named = [name for name in names if is_input[name]]
        self._output_named = next(name for name in names if not is_input[name])
        self._prepared = self._bound(inputs)

    @property
    def precision(self) -> str:
        """The dtype asked for: the plan is strongly typed."""
        return self._target.dtype

    def execute(self) -> object:
        """Run on the inputs that it was prepared with."""
        self._execute(self._prepared)
        return self._prepared[-1]

    def run(self, *inputs: Tensor) -> Tensor:
        """Return the output in float32, on the device of the first input where one is given."""
        tensors = self._bound(inputs) if inputs else self._prepared
        self._execute(tensors)
        torch.cuda.synchronize(self._target.device)
        sr = tensors[-1].float()
        return sr.to(inputs[0].device) if inputs else sr

    def run_ms(self, *inputs: Tensor) -> float:
        """Return the milliseconds of one run, from a picture on the GPU to one there."""
        tensors = self._bound(inputs) if inputs else self._prepared
        return cuda_ms(lambda: self._execute(tensors), self._target.device)

    def peak_memory(self) -> int:
        """Return the bytes of the plan's weights and workspace, and of input and output."""
        held = sum(tensor.nbytes for tensor in self._prepared)
        return int(self._engine.device_memory_size_v2) + held

    def _bound(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return the inputs on the GPU with room for the output last."""
        placed = [tensor.to(self._target.device, torch.float32).contiguous() for tensor in inputs]
        for name, tensor in zip(self._inputs_named, placed, strict=True):
            self._context.set_input_shape(name, tuple(tensor.shape))
        shape = tuple(self._context.get_tensor_shape(self._output_named))
        if min(shape) < 0:
            n, _, height, width = placed[0].shape
            shape = (n, 3, SCALE * height, SCALE * width)
        return [*placed, torch.empty(shape, device=self._target.device)]

    def _execute(self, tensors: Sequence[Tensor]) -> None:
        for name, tensor in zip([*self._inputs_named, self._output_named], tensors, strict=True):
            if name != self._output_named:
                self._context.set_input_shape(name, tuple(tensor.shape))
            self._context.set_tensor_address(name, tensor.data_ptr())
        if not self._context.execute_async_v3(torch.cuda.current_stream(self._target.device).cuda_stream):
            raise InputError("tensorrt could not run this network")
