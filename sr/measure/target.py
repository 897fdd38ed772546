"""What a network is measured for: device, LR size, dtype, engine; and the fingerprint of what a runtime depends on."""

import contextlib
import importlib.metadata
import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sr.constraints import DTYPE_NAMES, ENGINE_NAMES
from sr.errors import InputError
from sr.lr_size import LrSize, check_size
from sr.measure.allocator import keep_freed_memory


@dataclass(frozen=True)
class Conditions:
    """What a runtime was measured on: results of different conditions never stand on one front.

    Attributes:
        device: The name of the processor or GPU.
        driver: Its driver and libraries.
        versions: Of torch, the engine, Python and the system.
        threads: How many the engine uses.
        lr_size: Height and width of the LR picture.
        dtype: One of `DTYPE_NAMES`.
        engine: One of `ENGINE_NAMES`.
        allocator: What becomes of memory that is freed, on a CPU.
    """

    device: str
    driver: str
    versions: str
    threads: int
    lr_size: LrSize
    dtype: str
    engine: str = "torch"
    allocator: str = ""


@dataclass(frozen=True)
class Target:
    """What a network is to be fast on.

    Attributes:
        device: Where it runs.
        lr_size: Height and width of the LR picture, in pixels.
        dtype: One of `DTYPE_NAMES`.
        engine: One of `ENGINE_NAMES`: what runs the network.

    Raises:
        InputError: For an unknown dtype or engine, or a size that is none.
    """

    device: torch.device
    lr_size: LrSize = (256, 256)
    dtype: str = "float32"
    engine: str = "torch"

    def __post_init__(self) -> None:
        if not isinstance(self.device, torch.device):
            raise InputError(f"a target's device is a torch.device, got {self.device!r}; Target.of takes its name")
        for name, known in (("dtype", DTYPE_NAMES), ("engine", ENGINE_NAMES)):
            if getattr(self, name) not in known:
                raise InputError(f"the {name} of a target is one of {', '.join(known)}, got {getattr(self, name)!r}")
        check_size(self.lr_size)

    @classmethod
    def of(
        cls, device: str = "auto", lr_size: LrSize = (256, 256), dtype: str = "float32", engine: str = "torch"
    ) -> "Target":
        """Return the target on a device by its name; see `parse_device`."""
        return cls(parse_device(device), lr_size, dtype, engine)

    def in_engine(self, engine: str) -> "Target":
        """Return the same target in another engine."""
        return replace(self, engine=engine)

    @property
    def conditions(self) -> Conditions:
        """The fingerprint of this machine and of what a runtime on it depends on."""
        if self.device.type == "cuda":
            properties = torch.cuda.get_device_properties(self.device)
            cuda = f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
            name, driver = properties.name, f"{_nvidia_driver()}, {cuda}"
        else:
            name, driver = _processor_name(), f"oneDNN {'on' if torch.backends.mkldnn.is_available() else 'off'}"
        engine = "" if self.engine not in _PACKAGES else f"{self.engine} {_version(*_PACKAGES[self.engine])}, "
        versions = f"{engine}torch {torch.__version__}, Python {platform.python_version()}, {platform.system()}"
        allocator = keep_freed_memory() if self.device.type == "cpu" else ""
        threads = torch.get_num_threads()
        return Conditions(name, driver, versions, threads, self.lr_size, self.dtype, self.engine, allocator)


# The distributions that an engine may come with, by its name.
_PACKAGES = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
    "tensorrt": ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
}


def _version(*packages: str) -> str:
    """Return the version of the first of these distributions that is installed."""
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(package)
    return "not installed"


def parse_device(text: str) -> torch.device:
    """Turn auto, cpu, cuda or cuda:N into a device that is there.

    Raises:
        InputError: Where it is not there or no name of one.
    """
    if not isinstance(text, str):
        raise InputError(f"--device must be auto, cpu, cuda or cuda:N, got {text!r}")
    if text == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(text)
    except RuntimeError as error:
        raise InputError(f"--device must be auto, cpu, cuda or cuda:N, got {text!r}") from error
    if chosen.type not in ("cpu", "cuda"):
        raise InputError(f"--device must be auto, cpu, cuda or cuda:N, got {text!r}")
    if chosen.type == "cuda":
        there = torch.cuda.device_count()
        if (chosen.index or 0) >= there:
            raise InputError(f"--device {text}: this machine has {there} CUDA devices; use --device cpu or auto")
        return torch.device("cuda", chosen.index or 0)
    return chosen


def _nvidia_driver() -> str:
    """Return the version of the NVIDIA driver where the system tells it."""
    version = Path("/proc/driver/nvidia/version")
    words = version.read_text(encoding="utf-8").split("\n")[0].split() if version.is_file() else []
    numbers = [word for word in words if word[0].isdigit() and "." in word]
    return f"driver {numbers[0] if numbers else 'unknown'}"


def _processor_name() -> str:
    """Return the processor's model and number of cores."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.processor() or platform.machine()} ({os.cpu_count()} cores)"
