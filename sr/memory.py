"""How much memory a device has left."""

from pathlib import Path

import torch

# Where the system does not tell.
ASSUMED_FREE_BYTES = 4 * 2**30


def free_bytes(device: torch.device | str = "cpu") -> int:
    """Return the bytes that `device` can still give, those of caches that it would drop included."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    lines = meminfo.read_text(encoding="utf-8").splitlines() if meminfo.is_file() else []
    kibibytes = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return kibibytes[0] * 1024 if kibibytes else ASSUMED_FREE_BYTES


def fits(needed_bytes: int, device: torch.device) -> bool:
    """Return whether a forward is likely to find its memory; on a CPU the system would kill the process instead."""
    return needed_bytes < free_bytes(device)
