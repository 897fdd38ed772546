"""A training step as one CUDA graph: a small network's step is launched in one call instead of a few hundred."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sr.cuda_graph import WARM_UPS, CudaGraph, beside
from sr.errors import InputError


class CapturedStep:
    """Takes steps of one kind: the first ones kernel by kernel, then by a graph that is captured once.

    The work is handed over with each call and never kept: whoever owns both would hold itself, and its memory on the
    device.

    Args:
        device: The CUDA device; the current one whenever a step is taken.

    Attributes:
        refused: Why the work runs in no graph and goes on kernel by kernel; empty where it does, or is not there yet.
    """

    def __init__(self, device: torch.device) -> None:
        self.refused = ""
        self._device, self._stream, self._taken = device, torch.cuda.Stream(device), 0
        self._inputs: list[Tensor] = []
        self._graph: CudaGraph | None = None

    @property
    def captured(self) -> bool:
        """Whether the next step is a replay."""
        return self._graph is not None

    def take(self, work: Callable[..., Tensor], inputs: Sequence[Tensor]) -> Tensor:
        """Take a step.

        Args:
            work: Given inputs on the device it takes the step and returns the loss, without waiting for the device.
                What it does beside must be the same each time, and what it reads elsewhere must stay where it is.
            inputs: On any device, each as large as in the first step.

        Returns:
            The loss, a scalar on the device that no later step writes over.

        Raises:
            torch.OutOfMemoryError: Where there is no room for the graph's own memory.
        """
        self._taken += 1
        if self._graph is None and not self.refused and self._taken > WARM_UPS:
            self._capture(work, inputs)
        if self._graph is not None:
            for own, given in zip(self._inputs, inputs, strict=True):
                own.copy_(given, non_blocking=True)
            return self._graph.replay().clone()
        moved = [each.to(self._device, non_blocking=True) for each in inputs]
        return work(*moved) if self.refused else beside(lambda: work(*moved), self._device, self._stream)

    def forget(self) -> None:
        """Capture the next step anew, as what is no tensor has changed in the work."""
        self._graph = None

    def _capture(self, work: Callable[..., Tensor], inputs: Sequence[Tensor]) -> None:
        """Capture the step, which takes none; where that cannot be, say why."""
        self._inputs = [each.to(self._device, copy=True) for each in inputs]
        try:
            self._graph = CudaGraph(lambda: work(*self._inputs), self._device, self._stream)
        except InputError as error:
            self.refused = str(error)
