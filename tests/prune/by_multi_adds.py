"""Timing without a clock, for the tests of this folder."""

from collections.abc import Callable, Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode


def by_multi_adds(works: Sequence[Callable[[], object]], _device: torch.device) -> list[float]:
    """Time works by what they multiply, so that no clock decides."""
    times = []
    for work in works:
        with FlopCounterMode(display=False) as counter:
            work()
        times.append(1e-6 * (1 + counter.get_total_flops()))
    return times
