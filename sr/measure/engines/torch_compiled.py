"""PyTorch with its compiler (torch.compile): element-wise operators fused; it takes a C++ compiler on a CPU."""

import inspect
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sr.errors import InputError
from sr.measure.engines.torch_eager import CHECKPOINT, TorchRunner, check_dtype, deployed, placed
from sr.measure.target import Target
from sr.memory_format import MEMORY_FORMATS

# Networks of one class are many functions here: without this the compiler gives up after eight of them, and with
# `fullgraph` it says so.
_ONE_BY_ONE: dict[str, Any] = (
    {"recompile_limit": 10_000, "isolate_recompiles": True}
    if "recompile_limit" in inspect.signature(torch.compile).parameters
    else {}
)


class TorchCompiled:
    """See `sr.measure.engines.engine.Engine`; its file is a checkpoint of ours."""

    name = "torch-compile"
    ending = CHECKPOINT
    memory_formats = tuple(MEMORY_FORMATS)

    def check(self, target: Target) -> None:
        """Raise InputError for a dtype that it does not run, or without a compiler."""
        check_dtype(self.name, target)
        if target.device.type == "cpu" and not any(map(shutil.which, ("g++", "c++", "clang++"))):
            raise InputError("--engine torch-compile takes a C++ compiler: install g++, or use --engine torch")

    def prepare(
        self,
        module: nn.Module,
        target: Target,
        inputs: Sequence[Tensor] | None = None,
        *,
        memory_format: str = "contiguous",
        any_weights: bool = False,  # noqa: ARG002 - the compiler remembers by structure itself
    ) -> TorchRunner:
        """Compile a copy of the network, which takes seconds, and run it once."""
        with warnings.catch_warnings():
            # The compiler's own imports.
            warnings.filterwarnings("ignore", message=r".*is deprecated", category=DeprecationWarning)
            compiled = torch.compile(
                placed(module, target, memory_format), dynamic=False, fullgraph=True, **_ONE_BY_ONE
            )
            assert isinstance(compiled, nn.Module)
            runner = TorchRunner(compiled, inputs, target, memory_format)
            runner.run()
        return runner

    def open(self, path: Path, target: Target) -> TorchRunner:
        """Make the network of a checkpoint ready to run."""
        return self.prepare(deployed(path, self.name), target)
