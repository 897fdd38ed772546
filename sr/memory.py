"""How much memory a device has left, and what the lack of it looks like."""

import re
from pathlib import Path

import torch

# Where the system does not tell.
ASSUMED_FREE_BYTES = 4 * 2**30
# What says so: torch's allocators and the libraries under them, C++, onnxruntime's arena, OpenVINO and TensorRT.
_SAID = re.compile(
    r"not enough memory|DefaultCPUAllocator|out of memory|can(?:no|')t allocate memory|bad_alloc|bad allocation|"
    r"failed to allocate|could not allocate|unable to allocate|no room for this network|"
    r"(?:CUDNN|CUBLAS|CUSOLVER)_STATUS_ALLOC_FAILED|DEVICE_ALLOCATION_FAILED|"
    r"memory .{0,60}smaller than requested",
    re.IGNORECASE,
)
_BYTES = {"float16": 2, "bfloat16": 2}


def free_bytes(device: torch.device | str = "cpu") -> int:
    """Return the bytes that `device` can still give, those of caches that it would drop included."""
    device = torch.device(device)
    if device.type == "cuda":
        # What this process's allocator keeps without using it comes back before anything fails.
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    meminfo = Path("/proc/meminfo")
    lines = meminfo.read_text(encoding="utf-8").splitlines() if meminfo.is_file() else []
    kibibytes = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return kibibytes[0] * 1024 if kibibytes else ASSUMED_FREE_BYTES


def fits(needed_bytes: int, device: torch.device, dtype: str = "float32") -> bool:
    """Return whether a forward is likely to find its memory; on a CPU the system would kill the process instead.

    Args:
        needed_bytes: Counted in float32.
        device: Where it runs.
        dtype: What it runs in: on a GPU half of the bytes where a number has half of them.
    """
    share = _BYTES.get(dtype, 4) / 4 if device.type != "cpu" else 1.0
    return share * needed_bytes < free_bytes(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or one that it was raised from, says that memory does not suffice.

    torch has a class for its own allocator alone: a library's own failure, or one that CUDA reports with a later call
    (`torch.AcceleratorError`), is another kind of RuntimeError with a text of its own, and so is an engine's.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError | torch.OutOfMemoryError) or _SAID.search(str(cause)):
            return True
        cause = cause.__cause__
    return False
