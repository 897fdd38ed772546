"""How this process gets its memory.

glibc gives large blocks back to the system when they are freed, so that every run of a network faults the pages of its
activations in again: a third of the runtime of a small network, more or less of it by what the process did before.
"""

import ctypes
import functools
import platform

# Of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# The most that malloc's own rule would come to, and more than a network frees at once. Either alone makes it worse.
_MMAP_BYTES, _TRIM_BYTES = 32 * 2**20, 2**30


@functools.cache
def keep_freed_memory() -> str:
    """Have this process keep the memory that it frees for its next run, where its C library can be told to.

    Returns:
        What the allocator does from now on, in words that stand among the conditions of a runtime.
    """
    library, version = platform.libc_ver()
    if library != "glibc":
        return "the system's"
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not (mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES) and mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)):
        return f"glibc {version}'s"
    return f"glibc {version}'s, freed memory kept"
