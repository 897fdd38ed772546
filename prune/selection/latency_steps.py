"""What a convolution costs on this device by its channel counts, measured once and remembered in a file.

The latency rises in steps: 33 channels may take twice the time of 32, and 48 no more than 33. Pruning that counts
channels instead of steps makes a network smaller and not faster.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sr.errors import InputError
from sr.measure.timing import best_ms
from sr.measure.timing_cache import Prepare, TimeWorks, TimingCache, Timings, cache_path, place
from sr.progress import Report, no_report

# A count stays only where the next one kept costs more than this share above it.
WORTH = 0.03
# Sizes with the names of their figures. No single line: from little but the call itself, through the caches, to tensors
# so large that the allocator asks the system for each anew, which costs several times the operator.
ELEMENTS = {size: f"elements {size}" for size in (2**12, 2**16, 2**19, 2**21, 3 * 2**21, 2**24)}


@dataclass(frozen=True)
class ConvCall:
    """One call of a convolution on one picture; its padding is kernel // 2, and without channels it costs nothing.

    Attributes:
        kernel: Height and width, in pixels.
        stride: 1 or 2.
        groups: 1, or as many as inputs and outputs (depthwise).
        height: Of the input, in pixels.
        width: Of the input, in pixels.
        inputs: How many channels it reads, 0 or more.
        outputs: How many it writes, 0 or more.

    Raises:
        InputError: Outside these constraints.
    """

    kernel: tuple[int, int]
    stride: int
    groups: int
    height: int
    width: int
    inputs: int
    outputs: int

    def __post_init__(self) -> None:
        sides = (*self.kernel, self.height, self.width)
        if len(sides) != 4 or min(sides) < 1 or self.stride not in (1, 2) or min(self.inputs, self.outputs) < 0:
            raise InputError(f"a convolution has sides of 1 or more, a stride of 1 or 2 and counts from 0, got {self}")
        if self.groups != 1 and not (self.empty or self.groups == self.inputs == self.outputs):
            raise InputError(f"a convolution has 1 group, or is depthwise: groups = inputs = outputs, got {self}")

    @property
    def empty(self) -> bool:
        """Whether there is nothing to compute."""
        return self.inputs == 0 or self.outputs == 0

    @property
    def key(self) -> str:
        """The name under which its milliseconds are remembered."""
        kernel, picture = "x".join(map(str, self.kernel)), f"{self.height}x{self.width}"
        return f"conv {kernel} stride {self.stride} groups {self.groups} {picture} {self.inputs} to {self.outputs}"


class CostTable:
    """The costs of convolutions on one device, in one dtype and memory format; measured when first asked for.

    Args:
        device: Where they are measured.
        dtype: A key of `sr.deployment.DTYPES`.
        memory_format: A key of `sr.measure.latency.MEMORY_FORMATS`.
        path: Where they are remembered; None for nowhere. A file of other conditions (processor, versions, threads,
            ...) is replaced.
        report: Gets a line that says so.
        time_works: Returns the milliseconds of each of some works, run on a device.

    Raises:
        InputError: For a file that is no such table.
    """

    def __init__(
        self,
        device: torch.device,
        dtype: str,
        memory_format: str,
        path: Path | None,
        report: Report = no_report,
        time_works: TimeWorks = best_ms,
    ) -> None:
        self.table = TimingCache(
            "convolution costs", device, dtype, path, memory_format=memory_format, report=report, time_works=time_works
        )

    @property
    def figures(self) -> Timings:
        """What is known so far."""
        return self.table.timings

    def conv_ms(self, call: ConvCall) -> float:
        """Return the milliseconds of a call, 0 for an empty one; measured where it is not known yet."""
        if call.empty:
            return 0.0
        self.measure([call])
        return self.table.ms(call.key)

    def measure(self, calls: Iterable[ConvCall]) -> None:
        """Measure those calls that are not known yet, side by side: cheaper and more even than one by one."""
        self.table.measure({call.key: partial(self._conv, call) for call in calls if not call.empty})

    def elements_ms(self, elements: int) -> float:
        """Return the milliseconds of an elementwise operator that makes a new tensor of so many elements.

        Straight between a few measured sizes, and in proportion above the largest.
        """
        if elements == 0:
            return 0.0
        self.table.measure({key: partial(self._elementwise, count) for count, key in ELEMENTS.items()})
        within = np.interp(elements, list(ELEMENTS), [self.table.ms(key) for key in ELEMENTS.values()])
        return float(within) * max(1.0, elements / max(ELEMENTS))

    def save(self) -> None:
        """Write the table to its file, where it has one; raises InputError where that cannot be written."""
        self.table.save()

    def beside_anchor(self, prepare: Sequence[Prepare]) -> list[float]:
        """Return the milliseconds of other work at the speed of the table's own figures; nothing is remembered."""
        return self.table.beside_anchor(prepare)

    def _conv(self, call: ConvCall) -> Callable[[], Tensor]:
        """Return a run of a call with a bias, on random content."""
        picture = self.table.random(1, call.inputs, call.height, call.width)
        weight = self.table.random(call.outputs, call.inputs // call.groups, *call.kernel)
        bias, padding = self.table.random(call.outputs), (call.kernel[0] // 2, call.kernel[1] // 2)
        return lambda: F.conv2d(picture, weight, bias, call.stride, padding, groups=call.groups)

    def _elementwise(self, elements: int) -> Callable[[], Tensor]:
        """Return a run of an elementwise operator over so many elements."""
        values = self.table.random(elements)
        return lambda: F.leaky_relu(values, 0.05)


def worth_having(costs: Mapping[int, float]) -> tuple[int, ...]:
    """Return the counts of `costs` (count -> cost), ascending, that are cheaper than the next one kept by over WORTH.

    The largest is always kept. A count whose successor costs the same gives way to it: those channels are free.
    """
    kept: list[int] = []
    for count in sorted(costs, reverse=True):
        if not kept or costs[count] * (1 + WORTH) < costs[kept[-1]]:
            kept.append(count)
    return tuple(reversed(kept))


def default_path(device: torch.device, dtype: str, memory_format: str) -> Path:
    """Return where the costs of this processor are remembered: a file in the user's cache folder."""
    return cache_path("latency-steps", place(device, dtype, memory_format))
