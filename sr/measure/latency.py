"""How long a network takes on this device, with its spread, alone on it."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from sr.deployment import DTYPES, deploy
from sr.measure.device_lock import measuring_on, wait_until_idle
from sr.measure.target import Target
from sr.measure.timing import cuda_ms

MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}

# (p90 - p10) / median above which a measurement is taken again, and unreliable if it stays so.
WIDE_SPREAD = 0.25
_ATTEMPTS = 3
# A first run pays for setting up, but not this much.
_COLD = 4
# Fewer runs say nothing of a spread.
_FEWEST_RELIABLE_RUNS = 3


@dataclass(frozen=True)
class Runtime:
    """Milliseconds for one LR image, network only.

    Attributes:
        median_ms: The median.
        p10_ms: The 10th percentile.
        p90_ms: The 90th percentile.
        runs: How many runs these are of.
        reliable: Whether the spread (p90 - p10) stayed within WIDE_SPREAD of the median and no other process kept the
            CPU busy.
        memory_format: The faster one.
        memory: Bytes at the peak of a run where the device tells (CUDA), else 0.
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
    """How a runtime is taken: in rounds, until every network has enough runs.

    Attributes:
        seconds: Of timed runs, for each network at least.
        minimum_runs: For each network at least.
        maximum_runs: After which the rest is left.
        early_stop_ms: A network slower than this gets `early_stop_runs` and no more: nothing will make it pass. Where
            its first, cold run is four times as slow no other follows.
        early_stop_runs: See there; with one that cold sample is the runtime.
        memory_format: A key of MEMORY_FORMATS, or `fastest`, which tries all.
        idle_seconds: How long the measurer waits at most, on the CPU, for other processes to let go of it.
    """

    seconds: float = 1.0
    minimum_runs: int = 12
    maximum_runs: int = 200
    early_stop_ms: float = float("inf")
    early_stop_runs: int = 1
    memory_format: str = "fastest"
    idle_seconds: float = 5.0


def measure_runtimes(
    networks: Mapping[str, nn.Module], target: Target, protocol: Protocol = Protocol()
) -> dict[str, Runtime]:
    """Measure networks in the same rounds, alone on the target's device.

    Interleaving makes the ratios of one call survive a drift of the clock. A measurement with a wide spread is taken
    again, two times at most, and the narrowest is kept.

    Args:
        networks: By name, each mapping (n, 3, h, w) to (n, 3, 4h, 4w); timed in deployed form and left as they are.
        target: What they are timed on.
        protocol: How long and how often.

    Returns:
        The runtime of each network by its name.

    Raises:
        torch.OutOfMemoryError: Where a network does not fit into a GPU's memory.
    """
    with measuring_on(target.device), torch.inference_mode():
        idle = target.device.type != "cpu" or wait_until_idle(protocol.idle_seconds)
        runners = {name: Runner(network, target, protocol) for name, network in networks.items()}
        runtimes = _rounds(runners, protocol)
        for _ in range(_ATTEMPTS - 1):
            wide = {name: each for name, each in runners.items() if not (runtimes[name].reliable or each.too_slow)}
            if not wide:
                break
            for name, again in _rounds(wide, protocol).items():
                runtimes[name] = min(runtimes[name], again, key=lambda runtime: runtime.spread)
    return {name: replace(runtime, reliable=runtime.reliable and idle) for name, runtime in runtimes.items()}


def _rounds(runners: Mapping[str, "Runner"], protocol: Protocol) -> dict[str, Runtime]:
    """Time every runner in turn until each has enough runs."""
    times = {name: list(runner.cold_samples) for name, runner in runners.items()}
    for runner in runners.values():
        runner.warm_up()
    while unfinished := [name for name, taken in times.items() if not enough(taken, protocol)]:
        for name in unfinished:
            times[name] += runners[name].timed_runs()
    return {name: runners[name].summary(taken) for name, taken in times.items()}


def enough(times_ms: list[float], protocol: Protocol) -> bool:
    """Return whether a network's timed runs suffice."""
    if times_ms and min(times_ms) > protocol.early_stop_ms:
        return len(times_ms) >= protocol.early_stop_runs
    long_enough = len(times_ms) >= protocol.minimum_runs and sum(times_ms) >= 1000 * protocol.seconds
    return long_enough or len(times_ms) >= protocol.maximum_runs


class Runner:
    """One deployed network on the device, in the memory format that is faster there.

    Args:
        network: Maps (n, 3, h, w) to (n, 3, 4h, 4w); a copy runs.
        target: What it runs on.
        protocol: What is too slow, and which memory format.

    Attributes:
        lr: The picture that it runs on.
        memory_format: The one taken.
        too_slow: Whether its first, cold run was so slow that no other follows.
        cold_samples: What that run took, where it stands for the runtime.
    """

    RUNS_PER_ROUND = 3

    def __init__(self, network: nn.Module, target: Target, protocol: Protocol) -> None:
        device, dtype = target.device, DTYPES[target.dtype]
        self.device = device
        self.network = deploy(network).to(device, dtype)
        # A fixed content: denormals or zeros would flatter some processors.
        generator = torch.Generator().manual_seed(0)
        self.lr = torch.rand(1, 3, *target.lr_size, generator=generator).to(device, dtype)
        self.too_slow, self.cold_samples = False, list[float]()
        formats = list(MEMORY_FORMATS) if protocol.memory_format == "fastest" else [protocol.memory_format]
        self.memory_format = self._fastest_format(formats, protocol)
        self._use(self.memory_format)

    def _use(self, memory_format: str) -> None:
        """Lay the weights and the input out in `memory_format`."""
        lay_out(self.network, memory_format)
        self.lr = self.lr.contiguous(memory_format=MEMORY_FORMATS[memory_format])

    def _fastest_format(self, formats: Sequence[str], protocol: Protocol) -> str:
        """Return the memory format whose runs are faster; the first one where its cold run is too slow."""
        fastest = {}
        for memory_format in formats:
            self._use(memory_format)
            cold = self.times(1)
            if min(cold) > _COLD * protocol.early_stop_ms:
                self.too_slow, self.cold_samples = True, cold if protocol.early_stop_runs == 1 else []
                return memory_format
            fastest[memory_format] = min(self.timed_runs())
        return min(fastest, key=fastest.__getitem__)

    def warm_up(self, longest_seconds: float = 2.0) -> None:
        """Run until the time of a run is steady: two medians of three within 5 %, or `longest_seconds` are over."""
        if self.too_slow:
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
        if not self.too_slow:
            self.network(self.lr)
        return self.times(runs)

    def times(self, runs: int, lr: Tensor | None = None) -> list[float]:
        """Return the milliseconds of some runs on `lr` (n, 3, h, w), by default the target's picture."""
        return [self._once_ms(self.lr if lr is None else lr) for _ in range(runs)]

    def _once_ms(self, lr: Tensor) -> float:
        """Return the milliseconds of one run; torch.utils.benchmark gives means, but the spread of runs is wanted."""
        if self.device.type == "cuda":
            return cuda_ms(lambda: self.network(lr), self.device)
        began = time.perf_counter_ns()
        self.network(lr)
        return (time.perf_counter_ns() - began) / 1e6

    def summary(self, times_ms: list[float]) -> Runtime:
        """Turn single runs into a Runtime."""
        p10, median, p90 = (percentile(times_ms, share) for share in (0.1, 0.5, 0.9))
        reliable = (p90 - p10) / median <= WIDE_SPREAD and len(times_ms) >= _FEWEST_RELIABLE_RUNS
        return Runtime(median, p10, p90, len(times_ms), reliable, self.memory_format, self._peak_memory())

    def _peak_memory(self) -> int:
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
    """Lay the weights of a network out in a memory format, in place; those that are no images of filters stay.

    nn.Module.to refuses a network that holds a tensor of five dimensions.

    Args:
        network: Whose parameters and buffers of four dimensions are laid out.
        memory_format: A key of MEMORY_FORMATS.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=MEMORY_FORMATS[memory_format])


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of `values` lie, linearly interpolated."""
    return float(np.quantile(values, share))
