import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from search_spaces.reparam import BranchedConv3x3
from sr.deployment import DTYPES
from sr.measure.engines.registry import FILE_ENGINES
from sr.measure.gpu_state import GpuState, Unwatched
from sr.measure.latency import (
    WIDE_SPREAD,
    Protocol,
    Runtime,
    Subject,
    enough,
    measure_runtimes,
    measure_subjects,
    percentile,
    summary,
)
from sr.measure.target import Target
from sr.measure.timing import INTERVAL_MS
from sr.memory_format import MEMORY_FORMATS

CPU = torch.device("cpu")
SHORT = Protocol(seconds=0.02, minimum_runs=3, idle_seconds=0)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")


class Tiny(nn.Module):
    """One convolution and a shuffle; remembers the layouts, dtypes, modes and sizes that it was called with."""

    def __init__(self, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 48, kernel, padding=kernel // 2)
        self.shuffle = nn.PixelShuffle(4)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, 3, 4h, 4w)."""
        return self.shuffle(self.conv(lr))


class Spy(Tiny):
    """Notes how it is called; the note is shared with the copies that a measurement makes."""

    calls: list[tuple[bool, torch.dtype, bool, tuple[int, ...]]] = []  # noqa: RUF012 - emptied by every test

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, 3, 4h, 4w)."""
        layout = lr.is_contiguous(memory_format=torch.channels_last)
        self.calls.append((layout, lr.dtype, self.training or torch.is_grad_enabled(), tuple(lr.shape)))
        return super().forward(lr)


@pytest.fixture
def spy() -> Spy:
    Spy.calls.clear()
    return Spy()


def measured(network: nn.Module, protocol: Protocol = SHORT, dtype: str = "float32") -> Runtime:
    return measure_runtimes({"it": network}, Target(CPU, (16, 24), dtype), protocol)["it"]


def test_a_runtime_has_a_spread_and_enough_runs() -> None:
    runtime = measured(Tiny())
    assert 0 < runtime.p10_ms <= runtime.median_ms <= runtime.p90_ms
    assert runtime.spread == pytest.approx((runtime.p90_ms - runtime.p10_ms) / runtime.median_ms)
    # Two sets, each of whole rounds.
    assert 3 <= runtime.runs <= SHORT.maximum_runs + 6
    assert runtime.memory_format in MEMORY_FORMATS
    assert runtime.memory == 0
    assert runtime.spread <= WIDE_SPREAD or not runtime.reliable


def test_several_networks_are_measured_at_once_and_left_as_they_are() -> None:
    networks = {"narrow": Tiny(1), "wide": Tiny(5), "branched": BranchedConv3x3(3, 3, identity=True)}
    layouts = {name: [p.stride() for p in network.parameters()] for name, network in networks.items()}
    runtimes = measure_runtimes(networks, Target(CPU, (16, 16)), SHORT)
    assert list(runtimes) == list(networks)
    assert all(math.isfinite(runtime.median_ms) for runtime in runtimes.values())
    for name, network in networks.items():
        assert network.training
        assert [p.stride() for p in network.parameters()] == layouts[name]


def test_no_network_takes_no_time() -> None:
    assert measure_runtimes({}, Target(CPU), SHORT) == {}


@pytest.mark.parametrize("memory_format", MEMORY_FORMATS)
def test_each_memory_format_can_be_asked_for(memory_format: str, spy: Spy) -> None:
    assert measured(spy, replace(SHORT, memory_format=memory_format)).memory_format == memory_format
    assert {call[0] for call in spy.calls} == {memory_format == "channels_last"}


def test_the_fastest_format_is_found_by_trying_both(spy: Spy) -> None:
    runtime = measured(spy)
    assert {call[0] for call in spy.calls} == {True, False}
    assert runtime.memory_format in MEMORY_FORMATS


def test_runs_are_in_eval_mode_without_gradients_and_of_the_size_asked_for(spy: Spy) -> None:
    measured(spy.train())
    assert {call[1:] for call in spy.calls} == {(torch.float32, False, (1, 3, 16, 24))}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_number_format_is_that_asked_for(dtype: str, spy: Spy) -> None:
    measured(spy, dtype=dtype)
    assert {call[1] for call in spy.calls} == {DTYPES[dtype]}


@pytest.mark.parametrize(("early_stop_runs", "runs", "calls"), [(1, 1, 1), (3, 3, 4)])
def test_what_is_far_too_slow_is_not_timed_further(spy: Spy, early_stop_runs: int, runs: int, calls: int) -> None:
    hasty = replace(SHORT, seconds=1.0, minimum_runs=50, early_stop_ms=1e-6, early_stop_runs=early_stop_runs)
    runtime = measured(spy, hasty)
    assert runtime.runs == runs
    assert runtime.reliable <= (runs >= 3)
    assert runtime.memory_format == next(iter(MEMORY_FORMATS))
    # The cold run that tells, and those asked for beyond it.
    assert len(spy.calls) == calls


@pytest.mark.parametrize(
    ("times_ms", "expected"),
    [
        ([], False),
        ([10.0] * 3, False),
        ([10.0] * 4, True),
        ([1.0] * 4, False),
        ([1.0] * 9, False),
        ([1.0] * 10, True),
        ([200.0], True),
        ([200.0, 50.0], False),
    ],
)
def test_enough_by_hand(times_ms: list[float], expected: bool) -> None:
    protocol = Protocol(seconds=0.04, minimum_runs=4, maximum_runs=10, early_stop_ms=100.0)
    assert enough(times_ms, protocol) is expected


def test_percentiles_by_hand() -> None:
    values = [50.0, 10.0, 20.0, 40.0, 30.0]
    assert percentile(values, 0.5) == 30
    assert percentile(values, 0.1) == pytest.approx(14)
    assert percentile(values, 0.9) == pytest.approx(46)
    assert percentile([7.0], 0.9) == 7


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=20))
def test_percentiles_are_in_order(values: list[float]) -> None:
    low, middle, high = (percentile(values, share) for share in (0.1, 0.5, 0.9))
    assert min(values) <= low <= middle <= high <= max(values)


def test_a_wide_spread_is_not_reliable() -> None:
    narrow, wide = (summary(times, "contiguous") for times in ([10.0] * 9 + [11.0], [10.0] * 5 + [14.0] * 5))
    assert (narrow.median_ms, narrow.runs, narrow.reliable) == (10.0, 10, True)
    assert (wide.p10_ms, wide.p90_ms, wide.reliable) == (10.0, 14.0, False)
    assert wide.spread == pytest.approx(4 / 12)


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_engines_and_files_run_in_the_same_rounds(engine: str, tmp_path: Path) -> None:
    target = Target(CPU, (16, 24), engine="onnxruntime")
    FILE_ENGINES["onnxruntime"].write(Tiny().eval(), target, tmp_path / "tiny.onnx")
    subjects = {"network": Subject(Tiny(), target.in_engine(engine)), "file": Subject(tmp_path / "tiny.onnx", target)}
    runtimes = measure_subjects(subjects, SHORT)
    assert list(runtimes) == list(subjects)
    assert all(runtime.runs >= 3 and runtime.precision == "float32" for runtime in runtimes.values())


def test_rounds_are_of_one_device() -> None:
    subjects = {"here": Subject(Tiny(), Target(CPU)), "there": Subject(Tiny(), Target(torch.device("meta")))}
    with pytest.raises(ValueError, match="one device"):
        measure_subjects(subjects, SHORT)


@needs_cuda
def test_memory_on_cuda_is_that_of_the_network_alone() -> None:
    target = Target(torch.device("cuda", 0), (64, 64))
    protocol = replace(SHORT, memory_format="contiguous")
    alone = measure_runtimes({"it": Tiny()}, target, protocol)["it"]
    others = torch.zeros(2**26, device=target.device)
    beside = measure_runtimes({"it": Tiny(), "big": nn.Conv2d(3, 512, 9)}, target, protocol)
    assert others.nbytes > beside["it"].memory >= 4 * 64 * 64 * 48
    assert beside["it"].memory == pytest.approx(alone.memory, rel=0.1)


@dataclass
class Scripted:
    """A runner whose runs take what they are told to, the last time for ever."""

    times_ms: list[float]
    precision: str = "float32"
    execution: str = "graph"
    ran: int = 0

    def run_ms(self, *_inputs: Tensor) -> float:
        self.ran += 1
        return self.times_ms.pop(0) if len(self.times_ms) > 1 else self.times_ms[0]

    def execute(self) -> object:
        return self.run_ms()

    def run(self, *_inputs: Tensor) -> Tensor:
        raise AssertionError("what is timed is asked for no output")

    def peak_memory(self) -> int:
        return 7


@dataclass
class ScriptedEngine:
    """An engine of one memory format, whose networks take what they are told to on any device."""

    times_ms: list[float]
    memory_formats: tuple[str, ...] = ("contiguous",)
    made: list[Scripted] = field(default_factory=list)

    def prepare(self, *_subject: object, **_how: object) -> Scripted:
        self.made.append(Scripted(list(self.times_ms)))
        return self.made[-1]


def on_gpu(monkeypatch: pytest.MonkeyPatch, engine: ScriptedEngine, protocol: Protocol) -> Runtime:
    """Return the runtime of what an engine makes of a network on the second GPU."""
    monkeypatch.setattr("sr.measure.latency.engine_of", lambda _target: engine)
    monkeypatch.setattr("sr.measure.latency._CLOCKS_UP_SECONDS", 0.01)
    target = Target(torch.device("cuda", 1), (16, 16))
    return measure_runtimes({"it": Tiny()}, target, replace(protocol, idle_seconds=0.0))["it"]


def test_confirmed_network_is_timed_on_beside_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference of 15 ms stood confirmed at 53, of a load, beside a candidate of the calm after it."""

    @dataclass
    class OneEach(ScriptedEngine):
        """Gives each network times of its own."""

        theirs: tuple[list[float], ...] = ()

        def prepare(self, *_subject: object, **_how: object) -> Scripted:
            self.made.append(Scripted(list(self.theirs[len(self.made)])))
            return self.made[-1]

    def runs_of_the_steady_one(other: list[float]) -> int:
        engine = OneEach([], theirs=([2.0], other))
        monkeypatch.setattr("sr.measure.latency.engine_of", lambda _target: engine)
        measure_runtimes({"steady": Tiny(), "other": Tiny()}, Target(CPU, (16, 16)), SHORT)
        return engine.made[0].ran

    alone = runs_of_the_steady_one([2.0])
    assert runs_of_the_steady_one([3.0] * 16 + [1.0]) > alone


def test_first_run_on_a_gpu_is_not_believed(monkeypatch: pytest.MonkeyPatch, cuda: Any) -> None:
    """Loading libraries takes seconds, and a network that takes a millisecond would be infeasible for good."""
    engine = ScriptedEngine([4000.0, 300.0, 9.0, 1.0])
    runtime = on_gpu(monkeypatch, engine, Protocol(seconds=0.02, early_stop_ms=6.0))
    assert runtime.median_ms == 1.0
    assert runtime.runs >= 12
    assert runtime.execution == "graph"
    assert cuda.current == 0


@pytest.mark.usefixtures("cuda")
def test_slow_network_on_a_gpu_is_still_stopped_early(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = on_gpu(monkeypatch, ScriptedEngine([4000.0, 300.0]), Protocol(seconds=1.0, early_stop_ms=6.0))
    assert (runtime.median_ms, runtime.runs) == (300.0, 1)


@pytest.mark.usefixtures("cuda")
def test_readings_on_a_gpu_have_no_cap_and_take_the_seconds_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading is the mean over an interval: a network of 0.3 ms took sixteen times the seconds that were meant."""
    runtime = on_gpu(monkeypatch, ScriptedEngine([0.3]), Protocol(seconds=2.0, maximum_runs=200))
    assert runtime.runs > 200
    assert 2000 <= runtime.runs * INTERVAL_MS < 2200


@pytest.mark.usefixtures("cuda")
def test_gpu_is_kept_at_work_before_it_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ScriptedEngine([5.0])
    runtime = on_gpu(monkeypatch, engine, Protocol(seconds=0.0, minimum_runs=2))
    # Far more than what is counted, the untimed first ones and those that refill caches.
    assert engine.made[0].ran > 10 * runtime.runs


@pytest.mark.usefixtures("cuda")
def test_others_on_the_gpu_make_a_runtime_unreliable(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy(Unwatched):
        def others_since(self, microseconds: int) -> bool:  # noqa: ARG002
            return True

        def state(self) -> GpuState:
            return GpuState(1980, "P0")

    monkeypatch.setattr("sr.measure.watch.monitor_of", lambda _device: Busy())
    runtime = on_gpu(monkeypatch, ScriptedEngine([1.0]), Protocol(seconds=0.02))
    assert (runtime.reliable, runtime.disturbed) == (False, True)
    assert (runtime.clock_mhz, runtime.power_state) == (1980, "P0")
