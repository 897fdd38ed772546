"""How long a network takes on this device, with its spread, alone on it."""

import contextlib
import itertools
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from sr.deployment import deploy
from sr.measure.allocator import keep_freed_memory
from sr.measure.device_lock import measuring_on
from sr.measure.engines.engine import Runner
from sr.measure.engines.registry import engine_of
from sr.measure.target import Target
from sr.measure.timing import INTERVAL_MS
from sr.measure.watch import watch_of

# (p90 - p10) / median above which a measurement is unreliable.
WIDE_SPREAD = 0.25
# Separate sets of rounds whose medians lie this near confirm each other; further ones are taken until two do.
CONFIRMED = 0.05
_SETS, _MOST_SETS = 2, 5
# Where a set of rounds takes longer, those that stand confirmed take no other: a load that comes and goes is in all of
# its runs alike.
_LONG_SET_SECONDS = 10.0
_NO_CAP = 10**9
# A first run pays for setting up, but not this much.
_COLD = 4
# On a GPU it may pay anything: for libraries, plans, kernels that are loaded when first called. None of these counts.
_UNTIMED = {"cuda": 3, "mps": 3}
# A GPU's clocks go up with continuous work of this length, and come down within a second without.
_CLOCKS_UP_SECONDS = 0.5
_RUNS_PER_ROUND = 3
# A memory format whose fastest run is slower than another's by this is out.
_OUT = 1.15
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
        reliable: Whether a second, separate set of rounds confirmed the first, the spread (p90 - p10) stayed within
            WIDE_SPREAD of the median, and nothing disturbed it.
        memory_format: The faster one of those that the engine takes.
        memory: Bytes at the peak of a run where the device tells (CUDA), else 0.
        precision: What its convolutions really ran in, as the engine says.
        disturbed: Whether other processes kept the CPU or the GPU busy before it or meanwhile, or the GPU slowed itself
            down.
        execution: How it was launched where the engine has a choice (torch on CUDA): eager or graph; else empty.
        clock_mhz: Of the GPU's multiprocessors at its end where NVML tells, else 0.
        power_state: Of the GPU then, P0 the highest; empty where nobody tells.
    """

    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int
    reliable: bool
    memory_format: str
    memory: int = 0
    precision: str = "float32"
    disturbed: bool = False
    execution: str = ""
    clock_mhz: int = 0
    power_state: str = ""

    @property
    def spread(self) -> float:
        """(p90 - p10) / median."""
        return (self.p90_ms - self.p10_ms) / self.median_ms


@dataclass(frozen=True)
class Protocol:
    """How a runtime is taken: in rounds, until every network has enough runs.

    Attributes:
        seconds: Of timed runs, for each network at least; on a GPU of readings, each the mean of the runs of an
            interval (`sr.measure.timing.INTERVAL_MS`), and so are the numbers of runs below.
        minimum_runs: For each network at least.
        maximum_runs: After which the rest is left; on a GPU none.
        early_stop_ms: A network slower than this gets `early_stop_runs` and no more: nothing will make it pass. Where
            its first, cold run is four times as slow no other follows.
        early_stop_runs: See there; with one that cold sample is the runtime.
        memory_format: A key of `sr.memory_format.MEMORY_FORMATS`, or `fastest`: all that the engine takes stay in the
            rounds until one is clearly ahead.
        idle_seconds: How long the measurer waits at most for other processes to let go of the CPU or the GPU.
        reading_ms: What one reading takes at least, over which the shortest runs are a mean.
    """

    seconds: float = 1.0
    minimum_runs: int = 12
    maximum_runs: int = 200
    early_stop_ms: float = float("inf")
    early_stop_runs: int = 1
    memory_format: str = "fastest"
    idle_seconds: float = 5.0
    reading_ms: float = 0.0


@dataclass(frozen=True)
class Subject:
    """What is timed.

    Attributes:
        network: Maps (n, 3, h, w) to (n, 3, s*h, s*w), timed in deployed form and left as it is; or a file that the
            target's engine runs.
        target: What it is timed on.
    """

    network: nn.Module | Path
    target: Target


def measure_runtimes(
    networks: Mapping[str, nn.Module], target: Target, protocol: Protocol = Protocol()
) -> dict[str, Runtime]:
    """Measure networks on one target; see `measure_subjects`."""
    return measure_subjects({name: Subject(network, target) for name, network in networks.items()}, protocol)


def measure_subjects(subjects: Mapping[str, Subject], protocol: Protocol = Protocol()) -> dict[str, Runtime]:
    """Measure networks in the same rounds, alone on the device, each in the engine of its target.

    Interleaving makes the ratios of one call survive a drift of the clock. The rounds are taken in two sets, one after
    the other, each warmed up anew; where the medians of one differ by over CONFIRMED further sets of all of them follow
    until two agree, of which the fastest two stay, for what else a machine does only ever adds time. A load that came
    or went in between would else be in the runtime of one network and not in that of the other beside it.

    Args:
        subjects: By name; all of one device.
        protocol: How long and how often.

    Returns:
        The runtime of each by its name.

    Raises:
        InputError: Where an engine cannot run one of them.
        torch.OutOfMemoryError: Where a network does not fit into a GPU's memory.
        ValueError: Where they are of several devices.
    """
    if not subjects:
        return {}
    devices = {subject.target.device for subject in subjects.values()}
    if len(devices) != 1:
        raise ValueError(f"networks in the same rounds run on one device, got {devices}")
    (device,) = devices
    keep_freed_memory()
    if device.type != "cpu":
        protocol = replace(protocol, maximum_runs=_NO_CAP)
    if device.type == "cuda":
        protocol = replace(protocol, reading_ms=INTERVAL_MS)
    with measuring_on(device):
        watch = watch_of(device)
        disturbed = not watch.wait_until_idle(protocol.idle_seconds)
        entrants = {name: _Entrant(subject, protocol) for name, subject in subjects.items()}
        half = _half(protocol)
        watch.begin()
        _take_sets(list(entrants.values()), half)
        # What the rounds themselves say is not enough: two threads of ours can be slowed by half, and steadily so.
        disturbed = watch.disturbed() or disturbed
        state = watch.state()
    # On a GPU one more run shows the memory that it takes.
    with contextlib.nullcontext() if device.type == "cpu" else measuring_on(device):
        runtimes = {name: entrant.runtime() for name, entrant in entrants.items()}
    runtimes = {
        name: replace(runtime, clock_mhz=state.clock_mhz, power_state=state.power_state)
        for name, runtime in runtimes.items()
    }
    if not disturbed:
        return runtimes
    return {name: replace(runtime, reliable=False, disturbed=True) for name, runtime in runtimes.items()}


def _half(protocol: Protocol) -> Protocol:
    """Return how one of two sets is taken."""
    return replace(
        protocol, seconds=protocol.seconds / _SETS, minimum_runs=math.ceil(protocol.minimum_runs / _SETS),
        maximum_runs=math.ceil(protocol.maximum_runs / _SETS),
    )  # fmt: skip


def _take_sets(entrants: Sequence["_Entrant"], protocol: Protocol) -> None:
    """Take two sets of rounds, and further ones until each network stands confirmed."""
    seconds = 0.0
    for number in range(_MOST_SETS):
        timed_on = [each for each in entrants if not each.is_out_of_reach(protocol)]
        unconfirmed = [each for each in timed_on if number < _SETS or not each.is_confirmed()]
        if not unconfirmed:
            break
        began = time.monotonic()
        _take_set(unconfirmed if seconds > _LONG_SET_SECONDS else timed_on, protocol)
        seconds = time.monotonic() - began


def _take_set(entrants: Sequence["_Entrant"], protocol: Protocol) -> None:
    """Time every network in turn until each has enough runs."""
    for entrant in entrants[:1]:
        entrant.raise_clocks()
    for entrant in entrants:
        entrant.begin_set()
    while unfinished := [entrant for entrant in entrants if not entrant.has_enough(protocol)]:
        for entrant in unfinished:
            entrant.take_round()


def enough(times_ms: list[float], protocol: Protocol) -> bool:
    """Return whether a network's timed runs suffice."""
    if times_ms and min(times_ms) > protocol.early_stop_ms:
        return len(times_ms) >= protocol.early_stop_runs
    taken_ms = sum(max(each, protocol.reading_ms) for each in times_ms)
    long_enough = len(times_ms) >= protocol.minimum_runs and taken_ms >= 1000 * protocol.seconds
    return long_enough or len(times_ms) >= protocol.maximum_runs


class _Entrant:
    """One network in the rounds, in every memory format that may be the faster one.

    A choice by a few runs would stand for all rounds, so that formats run on until one of them is clearly ahead.

    Attributes:
        too_slow: Whether its first, cold run was so slow that no other follows.
    """

    def __init__(self, subject: Subject, protocol: Protocol) -> None:
        self.too_slow = False
        self._runners: dict[str, Runner] = {}
        self._sets: list[dict[str, list[float]]] = []
        network, target = subject.network, subject.target
        self._device = target.device
        engine = engine_of(target)
        if isinstance(network, Path):
            self._runners = {"contiguous": engine.open(network, target)}
            return
        deployed = deploy(network)
        chosen = engine.memory_formats if protocol.memory_format == "fastest" else (protocol.memory_format,)
        for memory_format in chosen:
            runner = engine.prepare(deployed, target, memory_format=memory_format, any_weights=True)
            for _ in range(_UNTIMED.get(target.device.type, 0)):
                runner.run_ms()
            cold_ms = runner.run_ms()
            self._runners[memory_format] = runner
            if cold_ms > _COLD * protocol.early_stop_ms:
                # The others would be about as slow.
                self.too_slow, self._runners = True, {memory_format: runner}
                self._sets = [{memory_format: [cold_ms]}] if protocol.early_stop_runs == 1 else []
                return

    def is_out_of_reach(self, protocol: Protocol) -> bool:
        """Return whether it is so slow that another set of rounds would tell nothing."""
        if not self._sets:
            return False
        return self.too_slow or any(min(times) > protocol.early_stop_ms for times in self._sets[-1].values() if times)

    def is_confirmed(self) -> bool:
        """Return whether two of the sets of rounds that were taken agree."""
        return self._pair()[1]

    def raise_clocks(self) -> None:
        """Keep a CUDA device at work until its clocks are up; nothing on any other."""
        until = time.monotonic() + _CLOCKS_UP_SECONDS
        while self._device.type == "cuda" and time.monotonic() < until:
            next(iter(self._runners.values())).run_ms()

    def begin_set(self, longest_seconds: float = 2.0) -> None:
        """Warm up: run until two medians of three runs are within 5 %, or `longest_seconds` are over."""
        self._sets.append({memory_format: [] for memory_format in self._runners})
        for runner in [] if self.too_slow else self._runners.values():
            began = time.monotonic()
            before = statistics.median(_timed_runs(runner, 1))
            while time.monotonic() - began < longest_seconds:
                now = statistics.median(_timed_runs(runner))
                if abs(now - before) <= 0.05 * before:
                    break
                before = now

    def has_enough(self, protocol: Protocol) -> bool:
        """Return whether the timed runs of this set suffice, in every format that is left."""
        return all(enough(times, protocol) for times in self._sets[-1].values())

    def take_round(self) -> None:
        """Time some runs in every format that is left, and leave those that are clearly slower."""
        now = self._sets[-1]
        for memory_format, runner in self._runners.items():
            now[memory_format] += [runner.run_ms()] if self.too_slow else _timed_runs(runner)
        fastest = min(min(times) for times in now.values())
        self._runners = {name: each for name, each in self._runners.items() if min(now[name]) <= _OUT * fastest}
        self._sets[-1] = {name: now[name] for name in self._runners}

    def runtime(self) -> Runtime:
        """Return what the rounds came to, in the format with the lower median."""
        memory_format = self._faster_format()
        times, confirmed = self._pair()
        runner, found = self._runners[memory_format], summary(times, memory_format)
        return replace(
            found,
            reliable=found.reliable and confirmed,
            memory=runner.peak_memory(),
            precision=runner.precision,
            execution=runner.execution,
        )

    def _faster_format(self) -> str:
        """Return the format that is faster over all sets."""
        runs = {name: [ms for each in self._sets for ms in each.get(name, ())] for name in self._runners}
        return min(runs, key=lambda name: percentile(runs[name], 0.5))

    def _pair(self) -> tuple[list[float], bool]:
        """Return the runs of the fastest two sets that confirm each other, and whether there are two that do.

        What is too slow to be timed again stands for itself.
        """
        memory_format = self._faster_format()
        sets = sorted((each[memory_format] for each in self._sets if each.get(memory_format)), key=statistics.median)
        if len(sets) == 1:
            return sets[0], True
        for fast, slow in itertools.pairwise(sets):
            if statistics.median(slow) <= (1 + CONFIRMED) * statistics.median(fast):
                return fast + slow, True
        return sets[0] + sets[1], False


def summary(times_ms: list[float], memory_format: str) -> Runtime:
    """Turn single runs into a Runtime."""
    p10, median, p90 = (percentile(times_ms, share) for share in (0.1, 0.5, 0.9))
    reliable = (p90 - p10) / median <= WIDE_SPREAD and len(times_ms) >= _FEWEST_RELIABLE_RUNS
    return Runtime(median, p10, p90, len(times_ms), reliable, memory_format)


def _timed_runs(runner: Runner, runs: int = _RUNS_PER_ROUND) -> list[float]:
    """Return the milliseconds of some runs, after one untimed run that refills the caches."""
    runner.run_ms()
    return [runner.run_ms() for _ in range(runs)]


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of `values` lie, linearly interpolated."""
    return float(np.quantile(values, share))
