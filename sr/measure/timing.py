"""How long single calls take on this device, each alone, where other processes may want it too."""

import math
import time
from collections.abc import Callable, Sequence

import torch

from sr.measure.gpu import current

FEWEST_RUNS, SHORTEST_MS, LONGEST_MS = 5, 60.0, 500.0
# The least time counts where so many runs lie within this share above it.
_WITNESSES, _AGREEMENT = 3, 0.03
# Of each work in a round: short enough that a round sees one speed of the machine.
_ROUND_MS, _MOST_RUNS_PER_ROUND = 5.0, 50
# A single small kernel on CUDA would measure its launch alone.
_QUEUED = 10
# Between two events of a GPU, whose clock counts in half microseconds and whose first kernel waits for its launch.
INTERVAL_MS, _MOST_QUEUED = 5.0, 10_000
# The same for one work of many in turn.
_SHORT_INTERVAL_MS = 1.0
# Of continuous work before a GPU is timed: it lowers its clocks within a second of idling.
_CLOCKS_UP_SECONDS = 0.5


def best_ms(works: Sequence[Callable[[], object]], device: torch.device) -> list[float]:
    """Return how long works take, each alone, over runs in turn.

    Args:
        works: What to run.
        device: Where they run.

    Returns:
        The least milliseconds of each, in the same order; least, as a shared machine only ever adds time.
    """
    if works:
        raise_clocks(works[0], device)
    times: list[list[float]] = []
    queued: list[int] = []
    for work in works:
        # The first run pays for setting up.
        work()
        queued.append(_queued(work, device))
        times.append([run_ms(work, device, queued[-1])])
    runs = [
        max(1, min(_MOST_RUNS_PER_ROUND, int(_ROUND_MS / (each * taken[0]))))
        for each, taken in zip(queued, times, strict=True)
    ]
    while unfinished := [index for index, taken in enumerate(times) if not enough(taken, queued[index])]:
        for index in unfinished:
            if runs[index] > 1:
                # Small work would otherwise be timed with the caches that its neighbour left.
                works[index]()
            times[index] += [run_ms(works[index], device, queued[index]) for _ in range(runs[index])]
    return [min(taken) for taken in times]


def _queued(work: Callable[[], object], device: torch.device) -> int:
    """Return how many runs of a work lie between two events: on CUDA ten, or as many as take a millisecond."""
    if device.type != "cuda":
        return 1
    clock = GpuClock(device, _SHORT_INTERVAL_MS)
    clock.ms(work)
    return max(_QUEUED, clock.queued)


def enough(times_ms: Sequence[float], queued: int) -> bool:
    """Return whether the runs of one work suffice, each the mean of `queued`; longer where none was undisturbed."""
    total = queued * sum(times_ms)
    if len(times_ms) < FEWEST_RUNS or total < SHORTEST_MS:
        return total >= LONGEST_MS
    return total >= LONGEST_MS or sorted(times_ms)[_WITNESSES - 1] <= (1 + _AGREEMENT) * min(times_ms)


def counts_own_time() -> bool:
    """Return whether the work of a run is that of one thread, whose own time the system counts finely.

    Where other processes want the processor too, it is taken from us every few milliseconds: no run that lasts longer
    is undisturbed, however often it is repeated, but what the others take is not in our thread's time.
    """
    return torch.get_num_threads() == 1 and time.get_clock_info("thread_time").resolution <= 1e-6


def raise_clocks(work: Callable[[], object], device: torch.device, seconds: float = _CLOCKS_UP_SECONDS) -> None:
    """Keep a CUDA device at work until its clocks are up; nothing on any other."""
    if device.type != "cuda":
        return
    until, clock = time.monotonic() + seconds, GpuClock(device)
    while time.monotonic() < until:
        clock.ms(work)


def run_ms(work: Callable[[], object], device: torch.device, queued: int) -> float:
    """Return the milliseconds of one run; on CUDA the mean of `queued` runs between two events."""
    if device.type == "mps":
        return clock_of(device).ms(work)
    if device.type != "cuda":
        clock = time.thread_time_ns if counts_own_time() else time.perf_counter_ns
        began = clock()
        work()
        return (clock() - began) / 1e6
    return cuda_ms(work, device, queued)


def wall_ms(run: Callable[[], object]) -> float:
    """Return the milliseconds of one run on the CPU; torch.utils.benchmark gives means, but the spread is wanted."""
    began = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - began) / 1e6


def cuda_ms(work: Callable[[], object], device: torch.device, queued: int = 1) -> float:
    """Return the milliseconds of one run on a GPU: the mean of `queued` runs between two events of its stream."""
    with current(device):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        # Named: without it an event is recorded on the stream of the device that is current, not of this one.
        stream = torch.cuda.current_stream(device)
        torch.cuda.synchronize(device)
        start.record(stream)
        for _ in range(queued):
            work()
        end.record(stream)
        end.synchronize()
    return float(start.elapsed_time(end)) / queued


class GpuClock:
    """Times one work on a GPU, as often between two events as makes the interval long enough.

    A network of 0.1 ms alone between two events is timed with its launch, and by a clock of half a microsecond. How
    often is found out in its first runs and only ever grows, as a first run pays for setting up.

    Args:
        device: A CUDA device.
        interval_ms: What lies between two events at least.
    """

    def __init__(self, device: torch.device, interval_ms: float = INTERVAL_MS) -> None:
        self._device, self._interval_ms = device, interval_ms
        self.queued = 1

    def ms(self, work: Callable[[], object]) -> float:
        """Return the milliseconds of one run, the mean of those of one interval."""
        while True:
            taken = cuda_ms(work, self._device, self.queued)
            if self.queued * taken >= self._interval_ms or self.queued >= _MOST_QUEUED:
                return taken
            wanted = math.ceil(self._interval_ms / taken) if taken > 0 else _MOST_QUEUED
            self.queued = min(_MOST_QUEUED, max(2 * self.queued, wanted))


class WallClock:
    """Times one work on a device without events, as Apple's: each run is waited for."""

    def __init__(self, synchronize: Callable[[], None]) -> None:
        self._synchronize = synchronize

    def ms(self, work: Callable[[], object]) -> float:
        """Return the milliseconds of one run, its launch and the wait for its end included."""
        self._synchronize()

        def run() -> None:
            work()
            self._synchronize()

        return wall_ms(run)


class CpuClock:
    """Times one work on the CPU."""

    def ms(self, work: Callable[[], object]) -> float:
        """Return the milliseconds of one run."""
        return wall_ms(work)


Clock = GpuClock | WallClock | CpuClock


def clock_of(device: torch.device) -> Clock:
    """Return what times one work on a device."""
    if device.type == "cuda":
        return GpuClock(device)
    return WallClock(torch.mps.synchronize) if device.type == "mps" else CpuClock()
