"""PyTorch as it is: what trains a network runs it too, operator by operator."""

import contextlib
import copy
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from sr.checkpoint import load_network
from sr.cuda_graph import CudaGraph
from sr.deployment import DTYPES, deploy
from sr.errors import InputError
from sr.measure.engines.engine import picture_of
from sr.measure.gpu import current
from sr.measure.target import Target
from sr.measure.timing import clock_of, cuda_ms
from sr.memory_format import MEMORY_FORMATS, lay_out

CHECKPOINT = ".pth"


class TorchEager:
    """See `sr.measure.engines.engine.Engine`; its file is a checkpoint of ours."""

    name = "torch"
    ending = CHECKPOINT
    memory_formats = tuple(MEMORY_FORMATS)

    def check(self, target: Target) -> None:
        """Raise InputError for a dtype that it does not run."""
        check_dtype(self.name, target)

    def prepare(
        self,
        module: nn.Module,
        target: Target,
        inputs: Sequence[Tensor] | None = None,
        *,
        memory_format: str = "contiguous",
        any_weights: bool = False,  # noqa: ARG002 - it has nothing to prepare
    ) -> "TorchRunner":
        """Lay a copy of the network out on the device."""
        return TorchRunner(placed(module, target, memory_format), inputs, target, memory_format)

    def open(self, path: Path, target: Target) -> "TorchRunner":
        """Make the network of a checkpoint ready to run."""
        return self.prepare(deployed(path, self.name), target)


def check_dtype(engine: str, target: Target) -> None:
    """Raise InputError where torch has no network in the target's dtype."""
    if target.dtype not in DTYPES:
        known = ", ".join(DTYPES)
        raise InputError(f"--engine {engine} runs {known}, got --dtype {target.dtype}; name another engine for that")


def placed(module: nn.Module, target: Target, memory_format: str) -> nn.Module:
    """Return a copy of a network on the target's device, in its dtype and a memory format, in eval mode."""
    copied = copy.deepcopy(module).eval().to(target.device, DTYPES[target.dtype])
    lay_out(copied, memory_format)
    return copied


def deployed(path: Path, engine: str) -> nn.Module:
    """Return the network of a checkpoint, deployed; InputError where it is none, or the file of another engine."""
    if path.suffix.lower() != CHECKPOINT:
        raise InputError(f"--engine {engine} runs checkpoints ({CHECKPOINT}), got {path}; name another engine")
    return deploy(load_network(path))


class TorchRunner:
    """A network in torch; a `Runner`.

    On a CUDA device what it was prepared with runs in one graph, captured at its first run, where the target says so
    and it can be captured; pictures that it is given run kernel by kernel.

    Args:
        module: On the device, in its dtype and memory format.
        inputs: What it is run on; None for the target's picture.
        target: Of the run.
        memory_format: A key of `MEMORY_FORMATS`.
    """

    def __init__(self, module: nn.Module, inputs: Sequence[Tensor] | None, target: Target, memory_format: str) -> None:
        self._module, self._target, self._memory_format = module, target, memory_format
        self._clock = clock_of(target.device)
        with current(target.device):
            self._inputs = self._placed([picture_of(target)] if inputs is None else inputs)

    @property
    def precision(self) -> str:
        """The dtype of its weights, which torch never changes by itself."""
        weights = next(self._module.parameters(), torch.empty(0, dtype=DTYPES[self._target.dtype]))
        return str(weights.dtype).removeprefix("torch.")

    @property
    def execution(self) -> str:
        """How what it was prepared with is launched: graph or eager on a CUDA device, else nothing to choose."""
        if self._target.device.type != "cuda":
            return ""
        return "eager" if self._graph is None else "graph"

    @torch.inference_mode()
    def execute(self) -> object:
        """Run on the inputs that it was prepared with; InputError where that has to be a graph and is none."""
        if self._target.device.type != "cuda":
            return self._module(*self._inputs)
        if self._graph is not None:
            return self._graph.replay()
        with _tuned():
            return self._module(*self._inputs)

    @torch.inference_mode()
    def run(self, *inputs: Tensor) -> Tensor:
        """Return the output in float32, on the device of the first input where one is given."""
        with current(self._target.device):
            sr: Tensor = self._module(*(self._placed(inputs) if inputs else self._inputs)).float()
        return sr.to(inputs[0].device) if inputs else sr

    @torch.inference_mode()
    def run_ms(self, *inputs: Tensor) -> float:
        """Return the milliseconds of one run; of inputs that are given the only one, kernel by kernel."""
        on_cuda = self._target.device.type == "cuda"
        if not inputs and on_cuda:
            # Captured before the clock runs.
            return self._clock.ms(self.execute if self._graph is None else self._graph.replay)
        taken = self._placed(inputs) if inputs else self._inputs
        if on_cuda:
            return cuda_ms(lambda: self._module(*taken), self._target.device)
        return self._clock.ms(lambda: self._module(*taken))

    @torch.inference_mode()
    def peak_memory(self) -> int:
        """Return the bytes allocated at the peak of one run, weights and input included; 0 where not on CUDA."""
        device = self._target.device
        if device.type != "cuda":
            return 0
        with current(device):
            torch.cuda.synchronize(device)
            own = sum(held.nbytes for held in (*self._module.parameters(), *self._module.buffers(), *self._inputs))
            # What else this process keeps there: the other networks of the rounds, pictures to train on, graphs.
            others = torch.cuda.memory_allocated(device) - own
            torch.cuda.reset_peak_memory_stats(device)
            self._module(*self._inputs)
            torch.cuda.synchronize(device)
            return torch.cuda.max_memory_allocated(device) - others

    @functools.cached_property
    @torch.inference_mode()
    def _graph(self) -> CudaGraph | None:
        """What it was prepared with as a graph; None where it runs in none and need not."""
        if self._target.device.type != "cuda" or self._target.execution == "eager":
            return None
        try:
            with current(self._target.device), _tuned():
                return CudaGraph(lambda: self._module(*self._inputs), self._target.device)
        except InputError:
            if self._target.execution == "graph":
                raise
            return None

    def _placed(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return inputs on the device, in the dtype and, where they are pictures, the memory format."""
        dtype, pictures = DTYPES[self._target.dtype], MEMORY_FORMATS[self._memory_format]
        placed = [tensor.to(self._target.device, dtype) for tensor in inputs]
        return [each.contiguous(memory_format=pictures) if each.dim() == 4 else each for each in placed]


@contextlib.contextmanager
def _tuned() -> Iterator[None]:
    """Have cuDNN take the algorithms that it times as fastest, which it does anew for every size: for one alone."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
