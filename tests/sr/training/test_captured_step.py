"""Steps by a graph, by a recorder of what torch.cuda is asked; what a GPU makes of them is in tests/device."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from sr.cuda_graph import WARM_UPS
from sr.training.captured_step import CapturedStep

CPU = torch.device("cpu")


class Recorder:
    """Stands for streams and graphs; a replay does the captured work on what then lies where it read."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.captured: Callable[[], Tensor] | None = None

    @contextlib.contextmanager
    def stream(self, _which: object) -> Iterator[None]:
        self.told.append("beside")
        yield

    @contextlib.contextmanager
    def graph(self, _graph: object, **_how: object) -> Iterator[None]:
        self.told.append("capture")
        yield

    def wait_stream(self, _other: object) -> None:
        """Order is all that a recorder has."""

    def replay(self) -> None:
        self.told.append("replay")


@pytest.fixture
def recorder(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    assert cuda.current == 0
    made = Recorder()
    for name, replacement in {
        "Stream": lambda _device: made, "current_stream": lambda _device: made, "stream": made.stream,
        "CUDAGraph": lambda: made, "graph": made.graph,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, replacement)
    return made


def test_first_steps_are_taken_beside_and_the_others_by_a_graph_that_is_captured_once(recorder: Recorder) -> None:
    seen: list[Tensor] = []

    def work(given: Tensor) -> Tensor:
        seen.append(given)
        return given.sum()

    step = CapturedStep(CPU)
    for number in range(WARM_UPS + 3):
        assert step.captured is (number > WARM_UPS)
        step.take(work, [torch.full((2,), float(number))])
    assert recorder.told == ["beside"] * WARM_UPS + ["capture", "replay", "replay", "replay"]
    # What the graph reads holds what the last step was given.
    assert seen[-1].tolist() == [5.0, 5.0]
    assert len(seen) == WARM_UPS + 1


def test_a_graph_that_is_forgotten_is_captured_anew_by_the_next_step(recorder: Recorder) -> None:
    step, factor = CapturedStep(CPU), 2.0

    def work(given: Tensor) -> Tensor:
        return factor * given.sum()

    for _ in range(WARM_UPS + 1):
        step.take(work, [torch.ones(2)])
    factor = 3.0
    step.forget()
    assert not step.captured
    assert step.take(work, [torch.ones(2)]).item() == 6.0
    assert recorder.told == ["beside"] * WARM_UPS + ["capture", "replay"] * 2


@pytest.mark.usefixtures("recorder")
def test_loss_of_a_step_is_not_written_over_by_the_next_one() -> None:
    step, held = CapturedStep(CPU), torch.zeros(())

    def work(given: Tensor) -> Tensor:
        return held.copy_(given.sum())

    losses = [step.take(work, [torch.ones(1)]) for _ in range(WARM_UPS + 1)]
    held.fill_(7.0)
    assert losses[-1].item() == 1.0


def test_work_that_waits_for_the_device_goes_on_kernel_by_kernel_and_says_why(recorder: Recorder) -> None:
    taken = []

    def work(given: Tensor) -> Tensor:
        if "capture" in recorder.told and not taken[WARM_UPS:]:
            taken.append(None)
            raise RuntimeError("operation not permitted when stream is capturing")
        taken.append(given)
        return given.sum()

    step = CapturedStep(CPU)
    losses = [step.take(work, [torch.full((1,), float(number))]).item() for number in range(WARM_UPS + 2)]
    assert losses == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert not step.captured
    assert "operation not permitted when stream is capturing" in step.refused
    assert "replay" not in recorder.told
