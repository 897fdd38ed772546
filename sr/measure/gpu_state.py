"""What NVIDIA's management library (NVML) says of a GPU: clocks, power state, what slows it, and who else works on it.

The only importer of pynvml (distribution nvidia-ml-py, extra `gpu`). Without it, or where the driver does not answer, a
GPU is timed all the same, and nobody knows these things.
"""

import functools
import importlib.util
import os
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from sr.measure.gpu import uuid_of

# The reasons for lower clocks that pass: heat, a power brake; not the power cap, which is how a GPU is sold.
_SLOWDOWNS = (
    ("HwSlowdown", "hardware slowdown"),
    ("HwThermalSlowdown", "heat"),
    ("SwThermalSlowdown", "heat"),
    ("HwPowerBrakeSlowdown", "power brake"),
)
# Percent of the multiprocessors' time that another process takes.
_NOTICEABLE_USE = 5


@dataclass(frozen=True)
class GpuState:
    """A GPU at one moment.

    Attributes:
        clock_mhz: Of its multiprocessors; 0 where nobody tells.
        power_state: P0 (highest) to P15; empty where nobody tells.
        slowed_by: Why it slows itself down, in words.
    """

    clock_mhz: int = 0
    power_state: str = ""
    slowed_by: tuple[str, ...] = ()


class GpuMonitor(Protocol):
    """What can be asked of a GPU while it is timed."""

    def state(self) -> GpuState:
        """Return how it is now."""
        ...

    def use(self) -> int | None:
        """Return the percent of the last moments that anything ran on it; None where nobody knows."""
        ...

    def others_since(self, microseconds: int) -> bool:
        """Return whether another process took a noticeable share of it since then, in microseconds of the epoch."""
        ...


def monitor_of(device: torch.device) -> GpuMonitor:
    """Return what answers for a CUDA device; what knows nothing where NVML is not there."""
    handle = _handle(uuid_of(device))
    return Unwatched() if handle is None else NvmlMonitor(handle)


class Unwatched:
    """A GPU of which nobody tells anything; a `GpuMonitor`."""

    def state(self) -> GpuState:
        """Return what is known: nothing."""
        return GpuState()

    def use(self) -> int | None:
        """Return None."""
        return None

    def others_since(self, microseconds: int) -> bool:  # noqa: ARG002 - nobody knows
        """Return False."""
        return False


class NvmlMonitor:
    """A GPU by its NVML handle; a `GpuMonitor`. What the driver does not tell of this model is taken for unknown."""

    def __init__(self, handle: object) -> None:
        self._handle = handle

    def state(self) -> GpuState:
        """Return how it is now."""
        nvml = _library()
        clock = _asked(nvml.nvmlDeviceGetClockInfo, self._handle, nvml.NVML_CLOCK_SM)
        power = _asked(nvml.nvmlDeviceGetPerformanceState, self._handle)
        reasons = _asked(_reasons_of(nvml), self._handle) or 0
        found = tuple(dict.fromkeys(words for name, words in _SLOWDOWNS if reasons & _bit(nvml, name)))
        return GpuState(clock or 0, "" if power is None else f"P{power}", found)

    def use(self) -> int | None:
        """Return the percent of the last sixth of a second to a second, by model, that a kernel ran."""
        rates = _asked(_library().nvmlDeviceGetUtilizationRates, self._handle)
        return None if rates is None else int(rates.gpu)

    def others_since(self, microseconds: int) -> bool:
        """Return whether another process took a noticeable share since then.

        In a container the numbers of processes are others than the driver's: where ours is not among them, nobody
        knows.
        """
        samples = _asked(_library().nvmlDeviceGetProcessUtilization, self._handle, microseconds) or ()
        if not any(each.pid == os.getpid() for each in samples):
            return False
        return any(each.pid != os.getpid() and each.smUtil >= _NOTICEABLE_USE for each in samples)


def _library() -> Any:  # noqa: ANN401 - the package may not be installed
    """Return NVML's Python binding."""
    import pynvml

    return pynvml


@functools.cache
def _handle(uuid: str) -> object | None:
    """Return the NVML handle of a GPU; None where NVML is not there or does not know it."""
    if importlib.util.find_spec("pynvml") is None:
        return None
    nvml = _library()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    # A partition of a GPU has a number of its own.
    found = (_asked(nvml.nvmlDeviceGetHandleByUUID, f"{kind}-{uuid}") for kind in ("GPU", "MIG"))
    return next((each for each in found if each is not None), None)


def _asked(question: Any, *about: object) -> Any:  # noqa: ANN401 - as above
    """Return what NVML answers; None where it does not tell this of this device."""
    try:
        return question(*about)
    except _library().NVMLError:
        return None


def _reasons_of(nvml: Any) -> Any:  # noqa: ANN401 - as above
    """Return the question for what slows a GPU, by the name that this version has for it."""
    names = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
    return next(getattr(nvml, name) for name in names if hasattr(nvml, name))


def _bit(nvml: Any, name: str) -> int:  # noqa: ANN401 - as above
    """Return the bit of a reason, by the name that this version has for it; 0 where it has none."""
    names = (f"nvmlClocksEventReason{name}", f"nvmlClocksThrottleReason{name}")
    return next((int(getattr(nvml, each)) for each in names if hasattr(nvml, each)), 0)
