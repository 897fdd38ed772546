"""What this processor has for 8 bits."""

import functools
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
# Instructions that add products of 8 bits up in 32 without overflow in between.
_DOT_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})


@functools.cache
def has_dot_products() -> bool:
    """Return whether the processor is known to have them (VNNI, AMX).

    Without them products of two pairs are added in 16 bits, which saturates: weights of 7 bits do not.
    """
    return dot_products_among(_CPUINFO.read_text(encoding="utf-8") if _CPUINFO.is_file() else "")


def dot_products_among(cpuinfo: str) -> bool:
    """Return whether the flags of a processor, in the words of Linux, name such instructions."""
    flags = [line.partition(":")[2] for line in cpuinfo.splitlines() if line.startswith("flags")]
    return bool(flags) and not _DOT_PRODUCTS.isdisjoint(flags[0].split())
