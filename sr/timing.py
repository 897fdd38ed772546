"""How long single pieces of work take on this device, each alone, where other processes may want it too."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

FEWEST_RUNS, SHORTEST_MS, LONGEST_MS = 5, 60.0, 500.0
# The least time is believed where so many runs lie within this share above it.
WITNESSES, AGREEMENT = 3, 0.03
# Of each work in a round: short enough that a round sees one speed of the machine.
ROUND_MS, MOST_RUNS_PER_ROUND = 5.0, 50
# A single small kernel on CUDA would measure its launch alone.
QUEUED = 10


def best_ms(works: Sequence[Callable[[], Tensor]], device: torch.device) -> list[float]:
    """Return the least milliseconds of each work over runs in turn; least, as a shared machine only ever adds time."""
    queued = QUEUED if device.type == "cuda" else 1
    times: list[list[float]] = []
    for work in works:
        # The first run pays for setting up.
        work()
        times.append([run_ms(work, device, queued)])
    runs = [max(1, min(MOST_RUNS_PER_ROUND, int(ROUND_MS / (queued * taken[0])))) for taken in times]
    while unfinished := [index for index, taken in enumerate(times) if not enough(taken, queued)]:
        for index in unfinished:
            if runs[index] > 1:
                # Small work would otherwise be timed with the caches that its neighbour left.
                works[index]()
            times[index] += [run_ms(works[index], device, queued) for _ in range(runs[index])]
    return [min(taken) for taken in times]


def enough(times_ms: Sequence[float], queued: int) -> bool:
    """Tell whether the runs of one work suffice, each time the mean of `queued`; longer where none was undisturbed."""
    total = queued * sum(times_ms)
    if len(times_ms) < FEWEST_RUNS or total < SHORTEST_MS:
        return total >= LONGEST_MS
    return total >= LONGEST_MS or sorted(times_ms)[WITNESSES - 1] <= (1 + AGREEMENT) * min(times_ms)


def counts_own_time() -> bool:
    """Tell whether the work of a run is that of one thread, whose own time the system counts finely.

    Where other processes want the processor too, it is taken from us every few milliseconds: no run that lasts longer
    is undisturbed, however often it is repeated, but what the others take is not in our thread's time.
    """
    return torch.get_num_threads() == 1 and time.get_clock_info("thread_time").resolution <= 1e-6


def run_ms(work: Callable[[], Tensor], device: torch.device, queued: int) -> float:
    """Return the milliseconds of one run; on CUDA the mean of `queued` runs between two events."""
    if device.type != "cuda":
        clock = time.thread_time_ns if counts_own_time() else time.perf_counter_ns
        began = clock()
        work()
        return (clock() - began) / 1e6
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    stream = torch.cuda.current_stream(device)
    torch.cuda.synchronize(device)
    start.record(stream)
    for _ in range(queued):
        work()
    end.record(stream)
    end.synchronize()
    return float(start.elapsed_time(end)) / queued
