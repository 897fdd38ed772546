"""The least of many runs, and when there were enough of them."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from sr.measure.timing import FEWEST_RUNS, GpuClock, best_ms, counts_own_time, cuda_ms, enough, raise_clocks, run_ms

CPU, SECOND = torch.device("cpu"), torch.device("cuda", 1)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")


@pytest.mark.parametrize(
    ("times_ms", "suffice"),
    [
        ([20.0] * 4, False),
        ([1.0] * 50, False),
        ([20.0] * 5, True),
        ([20.0, 20.1, 20.2, 35.0, 90.0], True),
        # One run alone was quick: the machine is busy, or it was luck.
        ([20.0, 30.0, 30.0, 35.0, 90.0], False),
        ([20.0, 130.0, 150.0, 160.0, 190.0], True),
        ([600.0], True),
        ([], False),
    ],
)
def test_runs_suffice_when_several_agree_or_time_is_up(times_ms: list[float], suffice: bool) -> None:
    assert enough(times_ms, 1) is suffice


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_one_thread_is_not_charged_for_what_others_take() -> None:
    if not counts_own_time():
        pytest.skip("this system does not count the time of a thread finely")

    def away() -> torch.Tensor:
        time.sleep(0.05)
        return torch.zeros(1)

    began = time.perf_counter()
    own_ms = run_ms(away, CPU, 1)
    # However long the machine kept us waiting besides.
    assert 1000 * (time.perf_counter() - began) - own_ms > 25


def test_queued_runs_count_each() -> None:
    assert not enough([2.0] * 5, 1)
    assert enough([2.0] * 5, 10)


def test_each_work_gets_its_least_time_in_the_order_given() -> None:
    picture = torch.rand(2**18)
    runs = {"small": 0, "large": 0}

    def small() -> torch.Tensor:
        runs["small"] += 1
        return picture[: 2**10].exp()

    def large() -> torch.Tensor:
        runs["large"] += 1
        return picture.exp().exp().exp()

    large_ms, small_ms = best_ms([large, small], CPU)
    assert large_ms > small_ms > 0
    # Small work runs often, to fill its share of a round.
    assert runs["small"] > runs["large"] > FEWEST_RUNS
    assert best_ms([], CPU) == []


@needs_cuda
def test_on_cuda_one_time_is_the_mean_of_many_runs() -> None:
    device = torch.device("cuda")
    picture = torch.rand(2**24, device=device)
    ran = []

    def work() -> torch.Tensor:
        ran.append(1)
        return picture.exp()

    assert run_ms(work, device, 7) > 0
    assert cuda_ms(work, device, 5) > 0
    assert len(ran) == 7 + 5
    assert best_ms([work], device)[0] > 0


def test_events_are_recorded_on_the_stream_of_the_device_that_is_timed(cuda: Any) -> None:
    seen = []

    def work() -> None:
        seen.append(cuda.current)
        cuda.now_ms += 2.0

    assert cuda_ms(work, SECOND, 3) == pytest.approx(2.0)
    assert cuda.recorded == ["stream of 1"] * 2
    assert seen == [1] * 3
    assert cuda.current == 0


def test_short_work_runs_often_between_two_events(cuda: Any) -> None:
    ran = []

    def work() -> None:
        # The first run pays for setting up.
        cuda.now_ms += 0.125 if ran else 3.0
        ran.append(1)

    clock = GpuClock(SECOND, interval_ms=5.0)
    assert clock.ms(work) == 0.125
    assert clock.queued == 40
    before = len(ran)
    assert clock.ms(work) == 0.125
    assert len(ran) - before == 40


def test_long_work_runs_once_between_two_events(cuda: Any) -> None:
    def work() -> None:
        cuda.now_ms += 7.0

    clock = GpuClock(SECOND, interval_ms=5.0)
    assert clock.ms(work) == pytest.approx(7.0)
    assert clock.queued == 1


def test_clocks_of_a_gpu_are_raised_by_work_of_some_length(cuda: Any) -> None:
    ran = []

    def work() -> None:
        ran.append(1)
        cuda.now_ms += 6.0

    raise_clocks(work, CPU, 60.0)
    assert not ran
    raise_clocks(work, SECOND, 0.01)
    assert len(ran) > 1


def test_best_of_small_kernels_is_of_as_many_as_take_a_millisecond(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sr.measure.timing.raise_clocks", lambda *_: None)
    ran = {"small": 0, "large": 0}

    def small() -> None:
        ran["small"] += 1
        cuda.now_ms += 0.01

    def large() -> None:
        ran["large"] += 1
        cuda.now_ms += 20.0

    assert best_ms([small, large], SECOND) == [pytest.approx(0.01), pytest.approx(20.0)]
    assert ran["small"] > 5 * 100
    assert set(cuda.recorded) == {"stream of 1"}
