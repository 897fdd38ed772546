"""Which GPU runs: the one with the most room, known by its own number, the current one meanwhile, in true float32."""

import contextlib
import functools
from collections.abc import Iterator, Sequence

import torch

# The first NVIDIA GPUs that compute in bfloat16.
_AMPERE = (8, 0)


@contextlib.contextmanager
def current(device: torch.device) -> Iterator[None]:
    """Make `device` the current one meanwhile where it is one of several CUDA devices; other kinds stay as they are.

    What takes no device of its own (an event, a library's handle, a kernel of another package) else goes to the first.
    """
    if device.type != "cuda":
        yield
        return
    true_float32()
    with torch.cuda.device(device):
        yield


@functools.cache
def true_float32() -> None:
    """Have this process's CUDA libraries compute float32 as such: by default cuDNN's convolutions have 10 bits of it.

    What is exported is true float32, so that what is timed and judged has to be.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def uuid_of(device: torch.device) -> str:
    """Return what tells a CUDA device from its twins, whatever index it has in this process."""
    return str(torch.cuda.get_device_properties(device).uuid)


def has_bfloat16(device: torch.device) -> bool:
    """Return whether a CUDA device computes in bfloat16 itself; which one is current does not matter."""
    return torch.cuda.get_device_capability(device) >= _AMPERE


def describe(device: torch.device) -> str:
    """Return a CUDA device in words: its name, memory and multiprocessors, as a partition of one has fewer."""
    properties = torch.cuda.get_device_properties(device)
    gibibytes, cores = properties.total_memory / 2**30, properties.multi_processor_count
    return f"{properties.name} ({gibibytes:.0f} GiB, {cores} multiprocessors)"


def runnable() -> list[torch.device]:
    """Return the CUDA devices that the installed torch has kernels for, in order."""
    every = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    return [each for each in every if has_kernels(torch.cuda.get_device_capability(each), torch.cuda.get_arch_list())]


def has_kernels(capability: tuple[int, int], compiled: Sequence[str]) -> bool:
    """Return whether a GPU runs what torch was compiled for.

    Args:
        capability: Of the GPU.
        compiled: As of `torch.cuda.get_arch_list`. A binary (sm_86) runs on GPUs of its own major version that are not
            older, one for a variant (sm_90a) on that one alone; an intermediate form (compute_90) on all newer ones.
    """
    for name in compiled:
        kind, _, digits = name.partition("_")
        number = digits.rstrip("af")
        if not number.isdigit():
            continue
        major, minor = int(number[:-1]), int(number[-1])
        later = capability[1] >= minor if number == digits else capability[1] == minor
        if (kind == "sm" and capability[0] == major and later) or (
            kind == "compute" and number == digits and capability >= (major, minor)
        ):
            return True
    return False


def roomiest() -> torch.device | None:
    """Return the CUDA device with the most free memory of those that torch has kernels for; None for none."""
    return max(runnable(), key=lambda each: torch.cuda.mem_get_info(each)[0], default=None)
