"""How long a network takes on this device, with its spread, alone on it."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from sr.deployment import deploy
from sr.measure.allocator import keep_freed_memory
from sr.measure.device_lock import measuring_on, wait_until_idle
from sr.measure.engines.engine import Runner
from sr.measure.engines.registry import engine_of
from sr.measure.target import Target

# (p90 - p10) / median above which a measurement is taken again, and unreliable if it stays so.
WIDE_SPREAD = 0.25
_ATTEMPTS = 3
# A first run pays for setting up, but not this much.
_COLD = 4
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
        reliable: Whether the spread (p90 - p10) stayed within WIDE_SPREAD of the median and no other process kept the
            CPU busy.
        memory_format: The faster one of those that the engine takes.
        memory: Bytes at the peak of a run where the device tells (CUDA), else 0.
        precision: What its convolutions really ran in, as the engine says.
    """

    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int
    reliable: bool
    memory_format: str
    memory: int = 0
    precision: str = "float32"

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
        memory_format: A key of `sr.memory_format.MEMORY_FORMATS`, or `fastest`: all that the engine takes stay in the
            rounds until one is clearly ahead.
        idle_seconds: How long the measurer waits at most, on the CPU, for other processes to let go of it.
    """

    seconds: float = 1.0
    minimum_runs: int = 12
    maximum_runs: int = 200
    early_stop_ms: float = float("inf")
    early_stop_runs: int = 1
    memory_format: str = "fastest"
    idle_seconds: float = 5.0


@dataclass(frozen=True)
class Subject:
    """What is timed.

    Attributes:
        network: Maps (n, 3, h, w) to (n, 3, 4h, 4w), timed in deployed form and left as it is; or a file that the
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

    Interleaving makes the ratios of one call survive a drift of the clock. A measurement with a wide spread is taken
    again, two times at most, and the narrowest is kept.

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
    with measuring_on(device):
        idle = device.type != "cpu" or wait_until_idle(protocol.idle_seconds)
        entrants = {name: _Entrant(subject, protocol) for name, subject in subjects.items()}
        runtimes = _rounds(entrants, protocol)
        for _ in range(_ATTEMPTS - 1):
            wide = {name: each for name, each in entrants.items() if not (runtimes[name].reliable or each.too_slow)}
            if not wide:
                break
            for name, again in _rounds(wide, protocol).items():
                runtimes[name] = min(runtimes[name], again, key=lambda runtime: runtime.spread)
    return {name: replace(runtime, reliable=runtime.reliable and idle) for name, runtime in runtimes.items()}


def _rounds(entrants: Mapping[str, "_Entrant"], protocol: Protocol) -> dict[str, Runtime]:
    """Time every network in turn until each has enough runs."""
    for entrant in entrants.values():
        entrant.warm_up()
    while unfinished := [entrant for entrant in entrants.values() if not entrant.has_enough(protocol)]:
        for entrant in unfinished:
            entrant.take_round()
    return {name: entrant.runtime() for name, entrant in entrants.items()}


def enough(times_ms: list[float], protocol: Protocol) -> bool:
    """Return whether a network's timed runs suffice."""
    if times_ms and min(times_ms) > protocol.early_stop_ms:
        return len(times_ms) >= protocol.early_stop_runs
    long_enough = len(times_ms) >= protocol.minimum_runs and sum(times_ms) >= 1000 * protocol.seconds
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
        self._times: dict[str, list[float]] = {}
        network, target = subject.network, subject.target
        engine = engine_of(target)
        if isinstance(network, Path):
            self._runners = {"contiguous": engine.open(network, target)}
            return
        deployed = deploy(network)
        chosen = engine.memory_formats if protocol.memory_format == "fastest" else (protocol.memory_format,)
        for memory_format in chosen:
            runner = engine.prepare(deployed, target, memory_format=memory_format, any_weights=True)
            cold_ms = runner.run_ms()
            self._runners[memory_format] = runner
            if cold_ms > _COLD * protocol.early_stop_ms:
                # The others would be about as slow.
                self.too_slow, self._runners = True, {memory_format: runner}
                self._times = {memory_format: [cold_ms] if protocol.early_stop_runs == 1 else []}
                return

    def warm_up(self, longest_seconds: float = 2.0) -> None:
        """Run until the time of a run is steady, two medians of three within 5 %, or `longest_seconds` are over."""
        if self.too_slow:
            return
        self._times = {memory_format: [] for memory_format in self._runners}
        for runner in self._runners.values():
            began = time.monotonic()
            before = statistics.median(_timed_runs(runner, 1))
            while time.monotonic() - began < longest_seconds:
                now = statistics.median(_timed_runs(runner))
                if abs(now - before) <= 0.05 * before:
                    break
                before = now

    def has_enough(self, protocol: Protocol) -> bool:
        """Return whether its timed runs suffice, in every format that is left."""
        return all(enough(times, protocol) for times in self._times.values())

    def take_round(self) -> None:
        """Time some runs in every format that is left, and leave those that are clearly slower."""
        for memory_format, runner in self._runners.items():
            if self.too_slow:
                self._times[memory_format].append(runner.run_ms())
            else:
                self._times[memory_format] += _timed_runs(runner)
        fastest = min(min(times) for times in self._times.values())
        self._times = {name: times for name, times in self._times.items() if min(times) <= _OUT * fastest}
        self._runners = {name: self._runners[name] for name in self._times}

    def runtime(self) -> Runtime:
        """Return what the rounds came to, in the format with the lower median."""
        memory_format, times = min(self._times.items(), key=lambda each: percentile(each[1], 0.5))
        runner = self._runners[memory_format]
        return replace(summary(times, memory_format), memory=runner.peak_memory(), precision=runner.precision)


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
