"""What a network is measured for: device, LR size, dtype, engine; and the fingerprint of what a runtime depends on."""

import contextlib
import functools
import importlib.metadata
import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from sr.constraints import AUTO, DTYPE_NAMES, ENGINE_NAMES, EXECUTIONS
from sr.errors import InputError
from sr.lr_size import LrSize, check_size
from sr.measure.allocator import keep_freed_memory
from sr.measure.gpu import describe, roomiest
from sr.progress import Message, Report, no_report


@dataclass(frozen=True)
class Conditions:
    """What a runtime was measured on: results of different conditions never stand on one front.

    Attributes:
        device: The name of the processor or GPU.
        driver: Its driver and libraries, and on a GPU how they are set and how networks are launched.
        versions: Of torch, the engine, Python and the system.
        threads: How many the engine uses; 1 on a GPU, where the processor only launches.
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
        execution: One of EXECUTIONS; only torch on a CUDA device has a choice.

    Raises:
        InputError: For an unknown dtype, engine or execution, or a size that is none.
    """

    device: torch.device
    lr_size: LrSize = (256, 256)
    dtype: str = "float32"
    engine: str = "torch"
    execution: str = AUTO

    def __post_init__(self) -> None:
        if not isinstance(self.device, torch.device):
            raise InputError(f"a target's device is a torch.device, got {self.device!r}; Target.of takes its name")
        for name, known in (("dtype", DTYPE_NAMES), ("engine", ENGINE_NAMES), ("execution", EXECUTIONS)):
            if getattr(self, name) not in known:
                raise InputError(f"the {name} of a target is one of {', '.join(known)}, got {getattr(self, name)!r}")
        check_size(self.lr_size)

    @classmethod
    def of(
        cls,
        device: str = AUTO,
        lr_size: LrSize = (256, 256),
        dtype: str = "float32",
        engine: str = "torch",
        *,
        execution: str = AUTO,
        report: Report = no_report,
    ) -> "Target":
        """Return the target on a device by its name; see `parse_device`."""
        return cls(parse_device(device, report), lr_size, dtype, engine, execution)

    def in_engine(self, engine: str) -> "Target":
        """Return the same target in another engine."""
        return replace(self, engine=engine)

    @property
    def conditions(self) -> Conditions:
        """The fingerprint of this machine and of what a runtime on it depends on."""
        if self.device.type == "cuda":
            cuda = f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, TF32 off{self._launched()}"
            name, driver = describe(self.device), f"{_nvidia_driver()}, {cuda}"
        elif self.device.type == "mps":
            name, driver = f"{_processor_name()}, its GPU", f"macOS {platform.mac_ver()[0]}"
        else:
            name, driver = _processor_name(), f"oneDNN {'on' if torch.backends.mkldnn.is_available() else 'off'}"
        engine = "" if self.engine not in _PACKAGES else f"{self.engine} {_version(*_PACKAGES[self.engine])}, "
        versions = f"{engine}torch {torch.__version__}, Python {platform.python_version()}, {platform.system()}"
        allocator = keep_freed_memory() if self.device.type == "cpu" else ""
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        return Conditions(name, driver, versions, threads, self.lr_size, self.dtype, self.engine, allocator)

    def _launched(self) -> str:
        """Return how torch launches a network on a CUDA device, as the conditions say it; nothing for other engines."""
        if self.engine != "torch":
            return ""
        graphs = "in CUDA graphs where they can be captured"
        words = {AUTO: graphs, "graph": "in CUDA graphs", "eager": "kernel by kernel"}
        return f", cuDNN's fastest algorithms, {words[self.execution]}"


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


def parse_device(text: str, report: Report = no_report) -> torch.device:
    """Turn auto, cpu, cuda, cuda:N or mps into a device that is there.

    Args:
        text: auto is the CUDA device with the most free memory that the installed torch has kernels for, else Apple's
            GPU, else the CPU.
        report: Is told which of several GPUs auto is, and of GPUs that it cannot use.

    Raises:
        InputError: Where it is not there or no name of one.
    """
    if not isinstance(text, str):
        raise InputError(f"--device must be {_devices()}, got {text!r}")
    if text == AUTO:
        return _automatic(report)
    try:
        chosen = torch.device(text)
    except RuntimeError as error:
        raise InputError(f"--device must be {_devices()}, got {text!r}") from error
    if chosen.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"--device must be {_devices()}, got {text!r}")
    if chosen.type == "cuda":
        there = torch.cuda.device_count()
        if (chosen.index or 0) >= there:
            raise InputError(f"--device {text}: this machine has {there} CUDA devices; use --device cpu or auto")
        return torch.device("cuda", chosen.index or 0)
    if chosen.type == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"--device {text}: this machine has no GPU of Apple's; use --device cpu or auto")
    return chosen


def parse_devices(text: str, report: Report = no_report) -> tuple[torch.device, ...]:
    """Turn names with commas between into devices, of which the first measures and all train.

    Raises:
        InputError: As `parse_device`; where one is named twice, or several are not all CUDA devices.
    """
    devices = tuple(parse_device(name.strip(), report) for name in text.split(","))
    if len(set(devices)) < len(devices):
        raise InputError(f"--devices names each device once, got {text!r}")
    if len(devices) > 1 and any(device.type != "cuda" for device in devices):
        raise InputError(f"--devices must be one device or several of cuda:N with commas between, got {text!r}")
    return devices


def _devices() -> str:
    """Return the names of devices in words; Apple's where it is one."""
    return f"auto, cpu, cuda or cuda:N{' or mps' if torch.backends.mps.is_available() else ''}"


# What auto was the first time: which device has the most free memory changes with what this process puts there.
_once = functools.cache(roomiest)


def _automatic(report: Report) -> torch.device:
    """Return the device that auto stands for, the same all through a process."""
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    chosen = _once() if there else None
    if chosen is not None:
        if there > 1:
            free = torch.cuda.mem_get_info(chosen)[0] / 2**30
            report(Message(f"device {chosen}: of {there} GPUs the one with the most free memory, {free:.1f} GiB"))
        return chosen
    if there:
        report(Message(f"device cpu: the installed torch has no kernels for the {there} GPUs here", aside=True))
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


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
