"""Whether anything else was at work on a device while it was timed: other processes, or what slows a GPU down."""

import os
import time
from collections.abc import Callable
from typing import Protocol

import torch

from sr.measure.device_lock import OthersAtWork, wait_until_idle
from sr.measure.gpu_state import GpuMonitor, GpuState, monitor_of

# Percent of a GPU's time at which it counts as idle, and how long it is looked at: NVML's own window is up to a second.
_IDLE_USE, _LOOK_SECONDS = 5, 0.25
# Processors that a process which launches on a GPU needs: its own thread's, and one for torch's and the driver's.
_PROCESSORS = 2


class Watch(Protocol):
    """What watches a device while it is timed; first `wait_until_idle`, then `begin`, then the rest."""

    def wait_until_idle(self, longest_seconds: float) -> bool:
        """Wait for others to let go of the device, and return whether they did in time."""
        ...

    def begin(self) -> None:
        """Watch from now on."""
        ...

    def disturbed(self) -> bool:
        """Return whether anything disturbed it since `begin`."""
        ...

    def state(self) -> GpuState:
        """Return how the device is now, where it tells."""
        ...


def watch_of(device: torch.device) -> Watch:
    """Return what watches a device."""
    return GpuWatch(monitor_of(device)) if device.type == "cuda" else CpuWatch()


class CpuWatch:
    """Watches a CPU, and what shares its memory; a `Watch`."""

    def wait_until_idle(self, longest_seconds: float) -> bool:
        """Wait for other processes; see `sr.measure.device_lock.wait_until_idle`."""
        return wait_until_idle(longest_seconds)

    def begin(self) -> None:
        """Count what others use of the processors from now on."""
        self._others = OthersAtWork()

    def disturbed(self) -> bool:
        """Return whether they took a noticeable share of one processor."""
        return self._others.disturb()

    def state(self) -> GpuState:
        """Return nothing."""
        return GpuState()


class GpuWatch:
    """Watches a CUDA device and the processor that launches on it; a `Watch`.

    Args:
        monitor: What answers for the device.
        processors: How many this process may use; None for those of the machine that are its own.
        others: What counts the processors that other processes use.
    """

    def __init__(
        self, monitor: GpuMonitor, processors: int | None = None, others: Callable[[], OthersAtWork] = OthersAtWork
    ) -> None:
        self._monitor, self._make_others = monitor, others
        self._processors = processors or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else "1")

    def wait_until_idle(self, longest_seconds: float) -> bool:
        """Wait until nothing runs on the GPU; True also where nobody knows."""
        deadline = time.monotonic() + longest_seconds
        while (use := self._monitor.use()) is not None and use > _IDLE_USE:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def begin(self) -> None:
        """Watch from now on."""
        self._since, self._others = time.time_ns() // 1000, self._make_others()

    def disturbed(self) -> bool:
        """Return whether another process worked on the GPU, the GPU slowed itself down, or no processor was free.

        Other processes on other processors disturb nobody: what is launched in time runs as fast.
        """
        crowded = self._others.share() > self._processors - _PROCESSORS + _NOTICEABLE_SHARE
        return crowded or self._monitor.others_since(self._since) or bool(self._monitor.state().slowed_by)

    def state(self) -> GpuState:
        """Return how the GPU is now."""
        return self._monitor.state()


# Of one processor, as on a CPU.
_NOTICEABLE_SHARE = 0.15
