"""What every engine does: prepare a network to be run and timed, write the file that it runs, and run such a file."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from sr.errors import InputError
from sr.measure.target import Target
from sr.memory_format import MEMORY_FORMATS


class Runner(Protocol):
    """A network that is ready to run in one engine."""

    @property
    def precision(self) -> str:
        """The precision that its convolutions really run in, read back from the engine: a name of `DTYPE_NAMES`."""
        ...

    @property
    def execution(self) -> str:
        """How it is launched where there is a choice (torch on a CUDA device), as of `EXECUTIONS`; else empty."""
        ...

    def execute(self) -> object:
        """Run on the inputs that it was prepared with, and leave the output where and as the engine makes it."""
        ...

    def run(self, *inputs: Tensor) -> Tensor:
        """Return the output (n, 3, s*h, s*w) in float32 for an LR picture (n, 3, h, w) of a size that it was made for.

        Without inputs it runs on those that it was prepared with.
        """
        ...

    def run_ms(self, *inputs: Tensor) -> float:
        """Return the milliseconds of one run; inputs: as of `run`, in the memory format and dtype that it takes."""
        ...

    def peak_memory(self) -> int:
        """Return the bytes allocated at the peak of one run, weights and input included; 0 where nobody tells."""
        ...


class Engine(Protocol):
    """What runs networks."""

    @property
    def name(self) -> str:
        """As `--engine` takes it."""
        ...

    @property
    def ending(self) -> str:
        """The ending of the file that it runs."""
        ...

    @property
    def memory_formats(self) -> tuple[str, ...]:
        """In which it takes pictures, keys of `MEMORY_FORMATS`: which is faster only measuring tells."""
        ...

    def check(self, target: Target) -> None:
        """Raise InputError where it is not installed or does not run the target's dtype on its device."""
        ...

    def prepare(
        self,
        module: nn.Module,
        target: Target,
        inputs: Sequence[Tensor] | None = None,
        *,
        memory_format: str = "contiguous",
        any_weights: bool = False,
    ) -> Runner:
        """Make a network or a part of one ready to run.

        Args:
            module: In eval mode and deployed; left as it is.
            target: What it runs on.
            inputs: What it is run on; None for the target's picture.
            memory_format: One of `memory_formats`.
            any_weights: Whether other weights of the same shapes may run in its place, as where only the runtime is
                asked for: what was prepared once then serves all networks of one structure.

        Raises:
            InputError: Where the engine cannot run it.
        """
        ...

    def open(self, path: Path, target: Target) -> Runner:
        """Make a network in a file ready to run; raises InputError where it is none of this engine's."""
        ...


class FileEngine(Engine, Protocol):
    """An engine with files of its own: torch has none, its networks are saved by `sr.checkpoint.save`."""

    def write(
        self,
        network: nn.Module,
        target: Target,
        path: Path,
        *,
        free_size: bool = False,
        calibration: Sequence[Tensor] | None = None,
    ) -> None:
        """Write the file that `open` takes and other programs run.

        Args:
            network: In eval mode and deployed; left as it is.
            target: Its size is that of the file, one picture at a time, unless `free_size`.
            path: The file.
            free_size: Whether batch, height and width stay free.
            calibration: LR pictures (1, 3, h, w) in [0, 1] that the ranges of an int8 network are read off; None for
                random ones, which only a runtime may be of.

        Raises:
            InputError: Where the engine cannot run it, or the file cannot be written.
        """
        ...


def require(package: str, engine: str, install: str) -> None:
    """Raise InputError where a package that an engine needs is not installed; install: the line that installs it."""
    if importlib.util.find_spec(package) is None:
        raise InputError(f"--engine {engine} takes {package}, which is not installed: {install}")


def picture_of(target: Target, memory_format: str = "contiguous") -> Tensor:
    """Return the LR picture (1, 3, h, w) that networks are timed on, in float32 on the CPU and the same every time.

    Zeros or denormals would flatter some processors.
    """
    picture = torch.rand(1, 3, *target.lr_size, generator=torch.Generator().manual_seed(0))
    return picture.contiguous(memory_format=MEMORY_FORMATS[memory_format])
