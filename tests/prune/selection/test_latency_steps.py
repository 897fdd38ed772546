"""What a convolution costs by its channel counts, and which counts are worth having."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prune.selection.latency_steps import (
    LEAST_SHARE,
    WORTH,
    ConvCall,
    CostTable,
    Part,
    Step,
    default_path,
    worth_having,
)
from sr.errors import InputError
from sr.measure.engines.registry import engine_of
from sr.measure.target import Target
from sr.measure.timing_cache import Timings
from sr.progress import Event
from sr.progress import Step as Progressed
from tests.prune.by_multi_adds import by_multi_adds

CPU = torch.device("cpu")
SMALL = ConvCall(kernel=(3, 3), stride=1, groups=1, height=16, width=12, inputs=8, outputs=8)
DEPTHWISE = replace(SMALL, groups=8)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")

costs = st.dictionaries(st.integers(1, 256), st.floats(1e-3, 1e3), min_size=1)
calls = st.builds(
    ConvCall,
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    stride=st.sampled_from([1, 2]),
    groups=st.just(1),
    height=st.integers(1, 500),
    width=st.integers(1, 500),
    inputs=st.integers(0, 99),
    outputs=st.integers(0, 99),
)


def table(path: Path | None = None, *, memory_format: str = "channels_last", engine: str = "torch") -> CostTable:
    return CostTable(Target(CPU, engine=engine), memory_format, path, time_works=by_multi_adds)


def test_a_long_measuring_is_told_of_burst_by_burst() -> None:
    told: list[Event] = []
    found = CostTable(Target(CPU), "channels_last", None, told.append, by_multi_adds)
    found.measure([replace(SMALL, inputs=count) for count in range(1, 10)])
    steps = [event for event in told if isinstance(event, Progressed)]
    # Nine convolutions, and a frame for each count of channels.
    assert [(step.done, step.total) for step in steps] == [(0, 18), (8, 18), (16, 18), (18, 18), (18, 18)]
    found.measure([replace(SMALL, inputs=10)])
    assert len(told) == 5


@given(costs)
def test_each_step_is_cheaper_than_the_next_by_more_than_the_threshold(costs: dict[int, float]) -> None:
    kept = worth_having(costs)
    assert kept[-1] == max(costs)
    assert list(kept) == sorted(set(kept))
    assert set(kept) <= set(costs)
    assert all(costs[low] * (1 + WORTH) < costs[high] for low, high in pairwise(kept))


@given(costs)
def test_what_is_dropped_is_filled_up_for_free(costs: dict[int, float]) -> None:
    kept = worth_having(costs)
    for dropped in set(costs) - set(kept):
        successor = min(count for count in kept if count > dropped)
        assert costs[successor] <= costs[dropped] * (1 + WORTH)


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ({16: 2.1, 24: 5.2, 32: 5.1, 40: 11.0, 48: 10.9, 56: 26.6, 64: 26.3}, (16, 32, 48, 64)),
        ({16: 1.2, 24: 3.6, 32: 4.7, 40: 9.5}, (16, 24, 32, 40)),
        # Within 3 % of the next, one after the other: the first is over 3 % below the last and stays.
        ({8: 1.0, 16: 1.02, 24: 1.04}, (8, 24)),
        ({5: 1.0}, (5,)),
        ({}, ()),
    ],
)
def test_steps_of_known_costs(costs: dict[int, float], expected: tuple[int, ...]) -> None:
    assert worth_having(costs) == expected


@pytest.mark.parametrize(
    "broken",
    [{"kernel": (0, 3)}, {"stride": 3}, {"groups": 2}, {"groups": 8, "outputs": 16}, {"height": 0}, {"inputs": -1}],
)
def test_a_call_keeps_the_constraints_of_a_convolution(broken: dict[str, object]) -> None:
    with pytest.raises(InputError, match="a convolution has"):
        replace(SMALL, **broken)


def test_an_empty_call_costs_nothing_and_is_not_measured() -> None:
    costs = table()
    assert [costs.ms(replace(SMALL, **{side: 0})) for side in ("inputs", "outputs")] == [0.0, 0.0]
    assert costs.figures == Timings()


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_unknown_calls_are_measured_once_each(memory_format: str) -> None:
    costs = table(memory_format=memory_format)
    large = replace(SMALL, height=64, width=64, inputs=32, outputs=32)
    costs.measure([SMALL, large, SMALL])
    assert costs.ms(large) > 3 * costs.ms(SMALL) > 0
    frames = [frame.key for call in (SMALL, large) for frame in call.frames]
    assert set(costs.figures.ms) == {SMALL.key, large.key, *frames}


def test_a_file_gives_back_what_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "steps.json"
    first = table(path)
    measured = {call: first.ms(call) for call in (SMALL, DEPTHWISE)}
    assert not path.exists()
    first.save()
    again = table(path)
    assert again.figures == first.figures
    assert {call: again.ms(call) for call in measured} == measured
    content = json.loads(path.read_text())
    assert content["threads"] == torch.get_num_threads()
    assert content["memory_format"] == "channels_last"
    assert {"device", "driver", "versions", "dtype", "date"} <= set(content)


def test_a_remembered_call_is_not_measured_again(tmp_path: Path) -> None:
    known = table(tmp_path / "steps.json")
    frames = {frame.key: 3.0 for frame in SMALL.frames}
    known.table.remember(Timings(anchor_ms=1.0, ms={SMALL.key: 123.0, **frames}))
    known.save()
    assert table(tmp_path / "steps.json").ms(SMALL) == 120.0


def test_a_step_takes_a_share_of_its_frames_time_at_the_least() -> None:
    known = table()
    frames = {frame.key: 3.0 for frame in SMALL.frames}
    known.table.remember(Timings(anchor_ms=1.0, ms={SMALL.key: 2.0, **frames}))
    assert known.ms(SMALL) == LEAST_SHARE * 2.0


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
@pytest.mark.parametrize(
    ("step", "sides"),
    [
        (SMALL, (16, 12)),
        (replace(SMALL, stride=2, activation="LeakyReLU"), (8, 6)),
        (replace(SMALL, kernel=(3, 1), outputs=5, activation="PReLU"), (16, 12)),
        (DEPTHWISE, (16, 12)),
        (Part("read", 16, 12, 8, 3), (16, 12)),
        (Part("sum", 16, 12, 8, 3), (16, 12)),
        (Part("sum", 16, 12, 8, 8), (16, 12)),
    ],
)
def test_what_is_timed_runs_in_the_engine_between_two_pictures(step: Step, sides: tuple[int, int], engine: str) -> None:
    known = table(engine=engine, memory_format="contiguous")
    module = step.module()
    pictures = [torch.rand(1, 3, 16, 12)] * len(module.before)
    runner = engine_of(known.target).prepare(module, known.target, pictures)
    assert runner.run().shape == (1, 3, *sides)
    torch.testing.assert_close(runner.run(), module(*pictures), atol=1e-5, rtol=1e-4)
    assert known._work(step)() is not None


@given(calls, calls)
def test_two_calls_share_a_name_only_where_they_are_equal(one: ConvCall, other: ConvCall) -> None:
    assert (one.key == other.key) is (one == other)
    assert replace(one).key == one.key


def test_a_broken_file_is_measured_anew(tmp_path: Path) -> None:
    (tmp_path / "steps.json").write_text("[]")
    assert table(tmp_path / "steps.json").figures == Timings()


def test_the_default_file_lies_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = default_path(Target(CPU), "contiguous")
    assert path.parent == tmp_path / "paretosr"
    assert path.name.startswith("latency-steps-")
    assert path.name.endswith("float32-contiguous.json")
    assert path != default_path(Target(CPU), "channels_last")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_path(Target(CPU), "contiguous") == tmp_path / "home" / ".cache" / "paretosr" / path.name


@needs_cuda
def test_cuda_is_measured_by_events() -> None:
    costs = CostTable(Target(torch.device("cuda"), dtype="float16"), "channels_last", None)
    large = replace(SMALL, height=512, width=512, inputs=64, outputs=64)
    costs.measure([SMALL, large])
    assert min(costs.ms(large), costs.ms(SMALL)) > 0
