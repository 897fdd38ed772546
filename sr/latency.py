"""How long a network takes on this device, with its spread, alone on it."""

import os
import platform
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sr.deployment import DTYPES, deploy
from sr.lease import measuring_on, wait_until_quiet
from sr.lr_size import LrSize

MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}

# (p90 - p10) / median above which a measurement is taken again, and unreliable if it stays so.
WIDE_SPREAD = 0.25
ATTEMPTS = 3
# A first run pays for setting up, but not this much.
COLD = 4
# Fewer runs say nothing of a spread.
FEWEST_RELIABLE_RUNS = 3


@dataclass(frozen=True)
class Conditions:
    """What a runtime was measured on: results of different conditions never stand on one front."""

    device: str
    driver: str
    versions: str
    threads: int
    lr_size: LrSize
    dtype: str


@dataclass(frozen=True)
class Runtime:
    """Milliseconds for one LR image, network only: median, 10th and 90th percentile over `runs`.

    reliable: whether the spread (p90 - p10) stayed within WIDE_SPREAD of the median and no other process kept the CPU
    busy. memory_format: the faster one. memory: bytes at the peak of a run where the device tells (CUDA), else 0.
    """

    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int
    reliable: bool
    memory_format: str
    memory: int = 0

    @property
    def spread(self) -> float:
        """(p90 - p10) / median."""
        return (self.p90_ms - self.p10_ms) / self.median_ms


@dataclass(frozen=True)
class Protocol:
    """How a measurement is taken.

    Rounds go on until every network has `seconds` of timed runs and at least `minimum_runs`, at most `maximum_runs`.
    A network slower than `hopeless_ms` gets `hopeless_runs` and no more: nothing will make it pass. One whose first,
    cold run is COLD times as slow is believed at once: with one hopeless run that is the only one.
    On the CPU the measurer waits up to `quiet_seconds` for other processes to let go of it.
    """

    seconds: float = 1.0
    minimum_runs: int = 12
    maximum_runs: int = 200
    hopeless_ms: float = float("inf")
    hopeless_runs: int = 1
    memory_format: str = "fastest"
    quiet_seconds: float = 5.0


def conditions(device: torch.device, lr_size: LrSize, dtype: str) -> Conditions:
    """Return the fingerprint of `device` and of what a runtime on it depends on."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        cuda = f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
        name, driver = properties.name, f"{nvidia_driver()}, {cuda}"
    else:
        name, driver = processor_name(), f"oneDNN {'on' if torch.backends.mkldnn.is_available() else 'off'}"
    versions = f"torch {torch.__version__}, Python {platform.python_version()}, {platform.system()}"
    return Conditions(name, driver, versions, torch.get_num_threads(), lr_size, dtype)


def nvidia_driver() -> str:
    """Return the version of the NVIDIA driver where the system tells it."""
    version = Path("/proc/driver/nvidia/version")
    words = version.read_text(encoding="utf-8").split("\n")[0].split() if version.is_file() else []
    numbers = [word for word in words if word[0].isdigit() and "." in word]
    return f"driver {numbers[0] if numbers else 'unknown'}"


def processor_name() -> str:
    """Return the processor's model and number of cores."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.processor() or platform.machine()} ({os.cpu_count()} cores)"


def measure_runtimes(
    networks: Mapping[str, nn.Module],
    device: torch.device,
    *,
    lr_size: LrSize = (256, 256),
    dtype: str = "float32",
    protocol: Protocol | None = None,
) -> dict[str, Runtime]:
    """Measure the deployed form of each network in the same rounds, alone on `device`.

    Interleaving makes the ratios of one call survive a drift of the clock. A measurement with a wide spread is taken
    again, up to ATTEMPTS times, and the narrowest is kept. Raises torch.OutOfMemoryError where a network does not fit.
    """
    protocol = protocol or Protocol()
    with measuring_on(device), torch.inference_mode():
        quiet = device.type != "cpu" or wait_until_quiet(protocol.quiet_seconds)
        runners = {
            name: Runner(network, device, lr_size, DTYPES[dtype], protocol) for name, network in networks.items()
        }
        runtimes = rounds(runners, protocol)
        for _ in range(ATTEMPTS - 1):
            wide = {name: each for name, each in runners.items() if not (runtimes[name].reliable or each.hopeless)}
            if not wide:
                break
            for name, again in rounds(wide, protocol).items():
                runtimes[name] = min(runtimes[name], again, key=lambda runtime: runtime.spread)
    return {name: replace(runtime, reliable=runtime.reliable and quiet) for name, runtime in runtimes.items()}


def rounds(runners: Mapping[str, "Runner"], protocol: Protocol) -> dict[str, Runtime]:
    """Time every runner in turn until each has enough runs."""
    times = {name: list(runner.believed) for name, runner in runners.items()}
    for runner in runners.values():
        runner.warm_up()
    while unfinished := [name for name, taken in times.items() if not enough(taken, protocol)]:
        for name in unfinished:
            times[name] += runners[name].timed_runs()
    return {name: runners[name].summary(taken) for name, taken in times.items()}


def enough(times_ms: list[float], protocol: Protocol) -> bool:
    """Tell whether a network's timed runs suffice."""
    if times_ms and min(times_ms) > protocol.hopeless_ms:
        return len(times_ms) >= protocol.hopeless_runs
    long_enough = len(times_ms) >= protocol.minimum_runs and sum(times_ms) >= 1000 * protocol.seconds
    return long_enough or len(times_ms) >= protocol.maximum_runs


class Runner:
    """One deployed network on the device, in the memory format that is faster there."""

    RUNS_PER_ROUND = 3

    def __init__(
        self, network: nn.Module, device: torch.device, lr_size: LrSize, dtype: torch.dtype, protocol: Protocol
    ) -> None:
        self.device = device
        self.network = deploy(network).to(device, dtype)
        # A fixed content: denormals or zeros would flatter some processors.
        generator = torch.Generator().manual_seed(0)
        self.lr = torch.rand(1, 3, *lr_size, generator=generator).to(device, dtype)
        self.hopeless, self.believed = False, list[float]()
        formats = list(MEMORY_FORMATS) if protocol.memory_format == "fastest" else [protocol.memory_format]
        self.memory_format = self.fastest_format(formats, protocol)
        self.use(self.memory_format)

    def use(self, memory_format: str) -> None:
        """Lay the weights and the input out in `memory_format`."""
        lay_out(self.network, memory_format)
        self.lr = self.lr.contiguous(memory_format=MEMORY_FORMATS[memory_format])

    def fastest_format(self, formats: Sequence[str], protocol: Protocol) -> str:
        """Return the memory format whose runs are faster; the first one where its cold run is hopeless."""
        fastest = {}
        for memory_format in formats:
            self.use(memory_format)
            cold = self.times(1)
            if min(cold) > COLD * protocol.hopeless_ms:
                self.hopeless, self.believed = True, cold if protocol.hopeless_runs == 1 else []
                return memory_format
            fastest[memory_format] = min(self.timed_runs())
        return min(fastest, key=fastest.__getitem__)

    def warm_up(self, longest_seconds: float = 2.0) -> None:
        """Run until the time of a run is steady: two medians of three within 5 %, or `longest_seconds` are over."""
        if self.hopeless:
            return
        began = time.monotonic()
        before = statistics.median(self.timed_runs(1))
        while time.monotonic() - began < longest_seconds:
            now = statistics.median(self.timed_runs())
            if abs(now - before) <= 0.05 * before:
                return
            before = now

    def timed_runs(self, runs: int = RUNS_PER_ROUND) -> list[float]:
        """Return the milliseconds of some runs, after one untimed run that refills the caches."""
        if not self.hopeless:
            self.network(self.lr)
        return self.times(runs)

    def times(self, runs: int) -> list[float]:
        """Return the milliseconds of some runs."""
        return list(self.cuda_times(runs) if self.device.type == "cuda" else self.cpu_times(runs))

    def cpu_times(self, runs: int) -> Iterator[float]:
        """Yield the time of each run; torch.utils.benchmark gives means, and the spread of single runs is wanted."""
        for _ in range(runs):
            began = time.perf_counter_ns()
            self.network(self.lr)
            yield (time.perf_counter_ns() - began) / 1e6

    def cuda_times(self, runs: int) -> Iterator[float]:
        """Yield the time between events around each run."""
        for _ in range(runs):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize(self.device)
            start.record()
            self.network(self.lr)
            end.record()
            end.synchronize()
            yield start.elapsed_time(end)

    def summary(self, times_ms: list[float]) -> Runtime:
        """Turn single runs into a Runtime."""
        p10, median, p90 = (percentile(times_ms, share) for share in (0.1, 0.5, 0.9))
        reliable = (p90 - p10) / median <= WIDE_SPREAD and len(times_ms) >= FEWEST_RELIABLE_RUNS
        return Runtime(median, p10, p90, len(times_ms), reliable, self.memory_format, self.peak_memory())

    def peak_memory(self) -> int:
        """Return the bytes allocated at the peak of one run, weights and input included; 0 where not on CUDA."""
        if self.device.type != "cuda":
            return 0
        torch.cuda.synchronize(self.device)
        own = sum(held.nbytes for held in (*self.network.parameters(), *self.network.buffers(), self.lr))
        # What else this process keeps there: the other networks of the rounds, pictures to train on.
        others = torch.cuda.memory_allocated(self.device) - own
        torch.cuda.reset_peak_memory_stats(self.device)
        self.network(self.lr)
        torch.cuda.synchronize(self.device)
        return torch.cuda.max_memory_allocated(self.device) - others


def lay_out(network: nn.Module, memory_format: str) -> None:
    """Lay the weights of a network out in `memory_format`, in place; those that are no images of filters stay.

    nn.Module.to refuses a network that holds a tensor of five dimensions.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=MEMORY_FORMATS[memory_format])


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of `values` lie, linearly interpolated."""
    return float(np.quantile(values, share))
