"""Work on a GPU as one CUDA graph: all its kernels are launched at once, as a deployment does.

A small network launched kernel by kernel takes as long as the launches: its runtime counts operators, not work.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from sr.checkpoint import one_line
from sr.errors import InputError
from sr.memory import is_out_of_memory

# Before capture libraries choose their algorithms and take their workspaces.
WARM_UPS = 3


class CudaGraph:
    """Captured work; what it reads and writes stays where it was, so that a replay does the same on what lies there.

    Args:
        work: Launches it and returns its output; runs without waiting for the device, allocates through torch alone.
        device: The CUDA device; the current one.
        stream: Where the work was warmed up; None for what is warmed up here, by being done three times.

    Raises:
        InputError: Where the work cannot be captured.
    """

    def __init__(
        self, work: Callable[[], Tensor], device: torch.device, stream: torch.cuda.Stream | None = None
    ) -> None:
        if stream is None:
            stream = torch.cuda.Stream(device)
            for _ in range(WARM_UPS):
                beside(work, device, stream)
        torch.cuda.synchronize(device)
        self._graph = torch.cuda.CUDAGraph()
        try:
            # Of this thread alone: what another one does on the device meanwhile is no part of it.
            with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                self.output = work()
        except Exception as error:
            if is_out_of_memory(error):
                raise
            torch.cuda.synchronize(device)
            raise InputError(f"this network runs in no CUDA graph: {one_line(error, 200)}") from error

    def replay(self) -> Tensor:
        """Launch the work and return its output, which the next replay writes over."""
        self._graph.replay()
        return self.output


def beside(work: Callable[[], Tensor], device: torch.device, stream: torch.cuda.Stream) -> Tensor:
    """Do work on a stream of its own, as a capture wants: what warms up there leaves its memory to that stream."""
    current = torch.cuda.current_stream(device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        output = work()
    current.wait_stream(stream)
    return output
