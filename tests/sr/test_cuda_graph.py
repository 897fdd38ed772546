"""Capture and replay, by a recorder of what torch.cuda is asked."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sr.cuda_graph import CudaGraph
from sr.errors import InputError
from sr.measure.engines.torch_eager import TorchRunner
from sr.measure.target import Target

DEVICE = torch.device("cuda", 1)


class Stream(str):
    """A stream by its name, which waits for others."""

    __slots__ = ()

    def wait_stream(self, other: str) -> None:
        CALLS.append(f"{self} waits for {other}")


class Captured:
    """A graph that counts its replays."""

    def replay(self) -> None:
        CALLS.append("replay")


CALLS: list[str] = []


@pytest.fixture
def graphs(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put recorders in the place of streams and graphs, and return what they note."""
    CALLS.clear()

    @contextlib.contextmanager
    def stream(which: Stream) -> Iterator[None]:
        CALLS.append(f"on {which}")
        yield
        CALLS.append(f"off {which}")

    @contextlib.contextmanager
    def graph(_graph: Captured, *, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local"
        CALLS.append(f"capture on {stream}")
        yield
        CALLS.append("captured")

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream(f"side of {device.index}"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: Stream(f"stream of {device.index}"))
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Captured)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    assert cuda.current == 0
    return CALLS


def test_run_is_warmed_up_on_a_stream_of_its_own_and_captured_there(graphs: list[str]) -> None:
    def work() -> Tensor:
        graphs.append("work")
        return torch.ones(1)

    made = CudaGraph(work, DEVICE)
    warm_up = [
        "side of 1 waits for stream of 1",
        "on side of 1",
        "work",
        "off side of 1",
        "stream of 1 waits for side of 1",
    ]
    assert graphs == [*warm_up * 3, "capture on side of 1", "work", "captured"]
    assert made.replay() is made.output
    assert graphs[-1] == "replay"


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (RuntimeError("operation not permitted when stream is capturing"), InputError),
        (torch.OutOfMemoryError("CUDA out of memory"), torch.OutOfMemoryError),
    ],
)
@pytest.mark.usefixtures("graphs")
def test_what_cannot_be_captured_says_so_and_lack_of_memory_stays_that(
    error: Exception, raised: type[Exception]
) -> None:
    runs = []

    def work() -> Tensor:
        runs.append(1)
        if len(runs) > 3:
            raise error
        return torch.ones(1)

    with pytest.raises(raised, match=r"runs in no CUDA graph|out of memory"):
        CudaGraph(work, DEVICE)


class Waits(nn.Module):
    """A network that cannot be captured: it waits for the device in the run after three."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def forward(self, lr: Tensor) -> Tensor:
        self.runs += 1
        if self.runs == 4:
            raise RuntimeError("operation not permitted when stream is capturing")
        return lr


@pytest.fixture
def _placed_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no GPU to place inputs on."""
    monkeypatch.setattr(TorchRunner, "_placed", lambda _runner, inputs: list(inputs))


def runner(module: nn.Module, execution: str) -> TorchRunner:
    return TorchRunner(module, [torch.rand(1, 3, 8, 8)], Target(DEVICE, execution=execution), "contiguous")


@pytest.mark.usefixtures("_placed_anywhere")
@pytest.mark.parametrize(
    ("module", "asked", "execution"),
    [
        (nn.Identity, "auto", "graph"),
        (nn.Identity, "graph", "graph"),
        (nn.Identity, "eager", "eager"),
        (Waits, "auto", "eager"),
    ],
)
def test_network_is_timed_as_it_can_be_launched_and_says_how(
    cuda: Any, graphs: list[str], module: type[nn.Module], asked: str, execution: str
) -> None:
    made = runner(module(), asked)
    made.execute()
    assert made.execution == execution
    assert ("replay" in graphs) is (execution == "graph")
    assert cuda.current == 0


@pytest.mark.usefixtures("_placed_anywhere", "graphs")
def test_network_that_has_to_run_in_a_graph_and_does_not_is_an_input_error() -> None:
    with pytest.raises(InputError, match="this network runs in no CUDA graph: operation not permitted"):
        runner(Waits(), "graph").execute()


@pytest.mark.usefixtures("_placed_anywhere")
def test_replays_are_timed_in_bursts_and_given_pictures_alone(
    cuda: Any, graphs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def replay(_graph: Captured) -> None:
        graphs.append("replay")
        cuda.now_ms += 0.5

    monkeypatch.setattr(Captured, "replay", replay)
    made = runner(nn.Identity(), "graph")
    assert made.run_ms() == pytest.approx(0.5)
    # Alone, and then as many as take five milliseconds.
    assert graphs.count("replay") == 11
    made.run_ms(torch.rand(1, 3, 8, 8))
    assert graphs.count("replay") == 11


def test_on_a_cpu_there_is_nothing_to_choose() -> None:
    target = Target(torch.device("cpu"), (16, 16))
    made = TorchRunner(nn.Conv2d(3, 3, 1).eval(), None, replace(target, execution="graph"), "contiguous")
    assert made.execution == ""
    assert made.run_ms() > 0
