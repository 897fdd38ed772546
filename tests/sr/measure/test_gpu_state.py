"""What is read of a GPU's state, by a stand-in for NVML's binding, which is an extra."""

import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sr.measure import gpu_state
from sr.measure.gpu_state import GpuState, NvmlMonitor, Unwatched, monitor_of

DEVICE = torch.device("cuda", 1)


class NvmlError(Exception):
    """As the binding raises them."""


class Nvml(SimpleNamespace):
    """The binding of a driver that tells everything."""

    NVMLError = NvmlError
    NVML_CLOCK_SM = 1
    nvmlClocksEventReasonSwThermalSlowdown = 32  # noqa: N815 - as the binding has them
    nvmlClocksThrottleReasonHwSlowdown = 8  # noqa: N815

    def __init__(self, reasons: int = 0, processes: tuple[tuple[int, int], ...] = ()) -> None:
        super().__init__(reasons=reasons, processes=processes, asked=[])

    def nvmlInit(self) -> None:  # noqa: N802 - as the binding has it
        """Nothing to do."""

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        self.asked.append(uuid)
        if not uuid.startswith("GPU-"):
            raise NvmlError
        return uuid

    def nvmlDeviceGetClockInfo(self, _handle: str, kind: int) -> int:  # noqa: N802
        assert kind == self.NVML_CLOCK_SM
        return 1980

    def nvmlDeviceGetPerformanceState(self, _handle: str) -> int:  # noqa: N802
        return 0

    def nvmlDeviceGetCurrentClocksEventReasons(self, _handle: str) -> int:  # noqa: N802
        return int(self.reasons)

    def nvmlDeviceGetUtilizationRates(self, _handle: str) -> SimpleNamespace:  # noqa: N802
        raise NvmlError

    def nvmlDeviceGetProcessUtilization(self, _handle: str, _since: int) -> list[SimpleNamespace]:  # noqa: N802
        return [SimpleNamespace(pid=pid, smUtil=use) for pid, use in self.processes]


def watched(monkeypatch: pytest.MonkeyPatch, nvml: Nvml) -> Any:
    """Return the monitor of a GPU under a binding."""
    gpu_state._handle.cache_clear()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: "there")
    made = monitor_of(DEVICE)
    gpu_state._handle.cache_clear()
    return made


@pytest.mark.usefixtures("cuda")
def test_state_is_that_of_the_device_by_its_own_number(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = Nvml(reasons=32 | 8 | 4)
    monitor = watched(monkeypatch, nvml)
    assert isinstance(monitor, NvmlMonitor)
    assert nvml.asked == ["GPU-uuid-1"]
    # The power cap, 4, is no disturbance.
    assert monitor.state() == GpuState(1980, "P0", ("hardware slowdown", "heat"))


@pytest.mark.usefixtures("cuda")
def test_what_the_driver_does_not_tell_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched(monkeypatch, Nvml()).use() is None


@pytest.mark.usefixtures("cuda")
@pytest.mark.parametrize(
    ("processes", "expected"),
    [
        (((os.getpid(), 90),), False),
        (((os.getpid(), 90), (1, 40)), True),
        (((os.getpid(), 90), (1, 1)), False),
        # In a container the numbers are not ours.
        (((7, 90), (1, 40)), False),
        ((), False),
    ],
)
def test_others_work_on_it_where_another_process_takes_a_share(
    monkeypatch: pytest.MonkeyPatch, processes: tuple[tuple[int, int], ...], expected: bool
) -> None:
    assert watched(monkeypatch, Nvml(processes=processes)).others_since(0) is expected


@pytest.mark.usefixtures("cuda")
def test_gpu_without_nvml_is_unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_state._handle.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monitor = monitor_of(DEVICE)
    gpu_state._handle.cache_clear()
    assert isinstance(monitor, Unwatched)
    assert monitor.state() == GpuState()
    assert monitor.use() is None
    assert not monitor.others_since(0)
