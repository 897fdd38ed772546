"""A run of a network as one CUDA graph: all its kernels are launched at once, as a deployment does.

A small network launched kernel by kernel takes as long as the launches: its runtime counts operators, not work.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from sr.checkpoint import one_line
from sr.errors import InputError
from sr.memory import is_out_of_memory

# Before capture libraries choose their algorithms and take their workspaces.
_WARM_UPS = 3


class CudaGraph:
    """A captured run; what it reads and writes stays where it was, so that a replay is a run on the same input.

    Args:
        work: Launches the run and returns its output; runs without waiting for the device, allocates through torch
            alone.
        device: The CUDA device; the current one.

    Raises:
        InputError: Where the run cannot be captured.
    """

    def __init__(self, work: Callable[[], Tensor], device: torch.device) -> None:
        # On a stream of its own, as capture wants: what warms up there leaves its memory to that stream.
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                work()
        torch.cuda.current_stream(device).wait_stream(stream)
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
        """Launch the run and return its output, which the next replay writes over."""
        self._graph.replay()
        return self.output
