"""How long single calls take on this device, each alone, where other processes may want it too."""

import time
from collections.abc import Callable, Sequence

import torch

FEWEST_RUNS, SHORTEST_MS, LONGEST_MS = 5, 60.0, 500.0
# The least time counts where so many runs lie within this share above it.
_WITNESSES, _AGREEMENT = 3, 0.03
# Of each work in a round: short enough that a round sees one speed of the machine.
_ROUND_MS, _MOST_RUNS_PER_ROUND = 5.0, 50
# A single small kernel on CUDA would measure its launch alone.
_QUEUED = 10


def best_ms(works: Sequence[Callable[[], object]], device: torch.device) -> list[float]:
    """Return how long works take, each alone, over runs in turn.

    Args:
        works: What to run.
        device: Where they run.

    Returns:
        The least milliseconds of each, in the same order; least, as a shared machine only ever adds time.
    """
    queued = _QUEUED if device.type == "cuda" else 1
    times: list[list[float]] = []
    for work in works:
        # The first run pays for setting up.
        work()
        times.append([run_ms(work, device, queued)])
    runs = [max(1, min(_MOST_RUNS_PER_ROUND, int(_ROUND_MS / (queued * taken[0])))) for taken in times]
    while unfinished := [index for index, taken in enumerate(times) if not enough(taken, queued)]:
        for index in unfinished:
            if runs[index] > 1:
                # Small work would otherwise be timed with the caches that its neighbour left.
                works[index]()
            times[index] += [run_ms(works[index], device, queued) for _ in range(runs[index])]
    return [min(taken) for taken in times]


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


def run_ms(work: Callable[[], object], device: torch.device, queued: int) -> float:
    """Return the milliseconds of one run; on CUDA the mean of `queued` runs between two events."""
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
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    stream = torch.cuda.current_stream(device)
    torch.cuda.synchronize(device)
    start.record(stream)
    for _ in range(queued):
        work()
    end.record(stream)
    end.synchronize()
    return float(start.elapsed_time(end)) / queued
