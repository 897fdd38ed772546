"""Which errors say that memory does not suffice: every engine has its own way to."""

import re

import torch

# torch's allocator on a CPU and on a GPU, oneDNN, C++, onnxruntime's arena, OpenVINO and TensorRT.
_SAID = re.compile(
    r"not enough memory|DefaultCPUAllocator|out of memory|can(?:no|')t allocate memory|bad_alloc|bad allocation|"
    r"failed to allocate|could not allocate|unable to allocate|no room for this network|"
    r"memory .{0,60}smaller than requested",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or one that it was raised from, says that memory does not suffice."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError | torch.OutOfMemoryError) or _SAID.search(str(cause)):
            return True
        cause = cause.__cause__
    return False
