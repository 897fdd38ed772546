"""What a convolution costs on this device by its channel counts, measured once and remembered in a file.

Costs are a staircase: 33 channels may take twice the time of 32, and 48 no more than 33. Pruning that counts channels
instead of stairs makes a network smaller and not faster.
"""

import json
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from prune.plan import Side
from prune.timing import best_ms, counts_own_time
from sr.checkpoint import provenance
from sr.deployment import DTYPES
from sr.errors import InputError
from sr.files import write_json
from sr.latency import MEMORY_FORMATS, conditions
from sr.lease import measuring_on, wait_until_quiet

Report = Callable[[str], None]

# A count stays only where the next one kept costs more than this share above it.
WORTH = 0.03
# Calls timed in the same rounds under one lease: their tensors are held together.
BURST = 8
SAVE_SECONDS, QUIET_SECONDS = 5.0, 1.0
# No single line: from little but the call itself, through the caches, to tensors so large that the allocator asks the
# system for each anew, which costs several times the operator.
ELEMENTS = (2**12, 2**16, 2**19, 2**21, 3 * 2**21, 2**24)


@dataclass(frozen=True)
class ConvCall:
    """One call of a convolution on one picture.

    kernel, height and width (of the input) in pixels; padding is kernel // 2. stride: 1 or 2. groups: 1, or as many as
    inputs and outputs (depthwise). A call without inputs or outputs costs nothing. Raises InputError outside these.
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

    def with_count(self, side: Side, count: int) -> "ConvCall":
        """Return the call with `count` channels on one side; on both where it is depthwise."""
        if self.groups > 1:
            return replace(self, inputs=count, outputs=count, groups=max(1, count))
        return replace(self, inputs=count) if side == "inputs" else replace(self, outputs=count)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ConvCall":
        """Make a call of its fields, whatever else stands beside them."""
        height, width = values["kernel"]
        return cls((int(height), int(width)), *(int(values[each.name]) for each in fields(cls)[1:]))


ANCHOR = ConvCall(kernel=(3, 3), stride=1, groups=1, height=128, width=128, inputs=16, outputs=16)


@dataclass(frozen=True)
class Figures:
    """Milliseconds of calls, and of elementwise operators by their elements, all at the speed of the first anchor.

    anchor_ms: what ANCHOR took when the first of them was measured; 0 before that.
    """

    anchor_ms: float = 0.0
    convs: Mapping[ConvCall, float] = field(default_factory=dict)
    elements: Mapping[int, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal one."""
        convs = [{**asdict(call), "kernel": list(call.kernel), "ms": ms} for call, ms in self.convs.items()]
        elements = [{"elements": count, "ms": ms} for count, ms in self.elements.items()]
        return {"anchor_ms": self.anchor_ms, "elements": elements, "convs": convs}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Figures":
        """Make what `to_json` described; raises KeyError, TypeError, ValueError or InputError for anything else."""
        convs = {ConvCall.from_json(each): positive(each["ms"]) for each in values["convs"]}
        elements = {int(each["elements"]): positive(each["ms"]) for each in values["elements"]}
        return cls(positive(values["anchor_ms"]) if convs or elements else 0.0, convs, elements)


def positive(value: object) -> float:
    """Return a finite number above 0; raises ValueError for any other value."""
    if not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        raise ValueError(f"a time is a number above 0, got {value!r}")
    return float(value)


def unheard(_line: str) -> None:
    """Report to nobody."""


class CostTable:
    """The costs of convolutions on one device, in one dtype and memory format; measured when first asked for.

    path: where they are remembered; None for nowhere. A file of other conditions (processor, versions, threads, ...) is
    replaced, and `report` gets a line that says so. Raises InputError for a file that is no such table.
    """

    def __init__(
        self, device: torch.device, dtype: str, memory_format: str, path: Path | None, report: Report = unheard
    ) -> None:
        if dtype not in DTYPES or memory_format not in MEMORY_FORMATS:
            known = f"{', '.join(DTYPES)} and a memory format of {', '.join(MEMORY_FORMATS)}"
            raise InputError(f"a cost table has a dtype of {known}, got {dtype!r} and {memory_format!r}")
        self.device, self.dtype, self.memory_format, self.path = device, dtype, memory_format, path
        self.place = place(device, dtype, memory_format)
        self.figures = Figures() if path is None else remembered(path, self.place, report)
        self.saved_at = time.monotonic()

    def conv_ms(self, call: ConvCall) -> float:
        """Return the milliseconds of a call, 0 for an empty one; measured where it is not known yet."""
        if call.empty:
            return 0.0
        self.measure([call])
        return self.figures.convs[call]

    def measure(self, calls: Iterable[ConvCall]) -> None:
        """Measure those calls that are not known yet, side by side: cheaper and more even than one by one."""
        unknown = [call for call in dict.fromkeys(calls) if not call.empty and call not in self.figures.convs]
        for first in range(0, len(unknown), BURST):
            burst = unknown[first : first + BURST]
            times = self.beside_anchor([partial(self.conv, call) for call in burst])
            convs = {**self.figures.convs, **dict(zip(burst, times, strict=True))}
            self.remember(replace(self.figures, convs=convs))

    def elements_ms(self, elements: int) -> float:
        """Return the milliseconds of an elementwise operator that makes a new tensor of so many elements.

        Straight between a few measured sizes, and in proportion above the largest.
        """
        if elements == 0:
            return 0.0
        if not self.figures.elements:
            times = self.beside_anchor([partial(self.elementwise, count) for count in ELEMENTS])
            self.remember(replace(self.figures, elements=dict(zip(ELEMENTS, times, strict=True))))
        sizes = sorted(self.figures.elements)
        within = np.interp(elements, sizes, [self.figures.elements[size] for size in sizes])
        return float(within) * max(1.0, elements / sizes[-1])

    def stairs(self, call: ConvCall, side: Side, most: int) -> tuple[int, ...]:
        """Return the channel counts worth having on one side from 1 to `most`, ascending, the last one `most`.

        The other side stays at the call's count, except where the call is depthwise.
        """
        calls = {count: call.with_count(side, count) for count in candidates(most)}
        self.measure(calls.values())
        return worth_having({count: self.conv_ms(each) for count, each in calls.items()})

    def save(self) -> None:
        """Write the table to its file, where it has one; raises InputError where that cannot be written."""
        if self.path is not None:
            write_json(self.path, {**self.place, "date": provenance()["date"], **self.figures.to_json()})
        self.saved_at = time.monotonic()

    def remember(self, figures: Figures) -> None:
        """Take grown figures in; save where the last time is some seconds ago, so that no more than those are lost."""
        self.figures = figures
        if time.monotonic() - self.saved_at >= SAVE_SECONDS:
            self.save()

    def beside_anchor(self, prepare: Sequence[Callable[[], Callable[[], Tensor]]]) -> list[float]:
        """Return the milliseconds of each piece of work, in the time of the first anchor.

        The speed of a shared machine drifts by a third within minutes, and a table grows over days. The anchor, always
        the same call, is timed in the same rounds; what it takes now against what it took first is the drift, and
        taking that out makes all entries of one table comparable.
        """
        if torch.get_num_threads() != self.place["threads"]:
            threads = f"{self.place['threads']} when it was opened and {torch.get_num_threads()} now"
            raise InputError(f"a cost table has one number of threads, but {threads}; open another table")
        with measuring_on(self.device), torch.inference_mode():
            if self.device.type == "cpu" and not counts_own_time():
                wait_until_quiet(QUIET_SECONDS)
            works = [self.conv(ANCHOR), *(make() for make in prepare)]
            anchor_ms, *times = best_ms(works, self.device)
        self.figures = replace(self.figures, anchor_ms=self.figures.anchor_ms or anchor_ms)
        return [ms * self.figures.anchor_ms / anchor_ms for ms in times]

    def conv(self, call: ConvCall) -> Callable[[], Tensor]:
        """Return a run of a call with a bias, on random content: zeros or denormals would flatter some processors."""
        picture = self.random(1, call.inputs, call.height, call.width)
        weight = self.random(call.outputs, call.inputs // call.groups, *call.kernel)
        bias, padding = self.random(call.outputs), (call.kernel[0] // 2, call.kernel[1] // 2)
        return lambda: F.conv2d(picture, weight, bias, call.stride, padding, groups=call.groups)

    def elementwise(self, elements: int) -> Callable[[], Tensor]:
        """Return a run of an elementwise operator over so many elements."""
        values = self.random(elements)
        return lambda: F.leaky_relu(values, 0.05)

    def random(self, *shape: int) -> Tensor:
        """Return numbers between -0.5 and 0.5, the same every time; pictures and filters in the memory format."""
        values = torch.rand(*shape, generator=torch.Generator().manual_seed(0)) - 0.5
        memory_format = MEMORY_FORMATS[self.memory_format if len(shape) == 4 else "contiguous"]
        # Not Tensor.contiguous: it leaves a tensor of one channel as it is, which another layer would have laid out.
        laid_out = torch.empty(shape, dtype=DTYPES[self.dtype], device=self.device, memory_format=memory_format)
        return laid_out.copy_(values)


def candidates(most: int) -> tuple[int, ...]:
    """Return the counts up to `most` that may be stairs: multiples of 8 (4 under 16, 2 under 8), and `most`."""
    if most < 1:
        raise InputError(f"the most channels of a convolution are 1 or more, got {most}")
    quantum = 8 if most >= 16 else 4 if most >= 8 else 2
    return (*range(quantum, most, quantum), most)


def worth_having(costs: Mapping[int, float]) -> tuple[int, ...]:
    """Return the counts of `costs` (count -> cost), ascending, that are cheaper than the next one kept by over WORTH.

    The largest is always kept. A count whose successor costs the same gives way to it: those channels are free.
    """
    kept: list[int] = []
    for count in sorted(costs, reverse=True):
        if not kept or costs[count] * (1 + WORTH) < costs[kept[-1]]:
            kept.append(count)
    return tuple(reversed(kept))


def place(device: torch.device, dtype: str, memory_format: str) -> dict[str, Any]:
    """Return what the costs of one table share, as JSON gives it back."""
    # Each call has a size of its own.
    shared = asdict(conditions(device, (0, 0), dtype))
    del shared["lr_size"]
    return {**shared, "memory_format": memory_format}


def remembered(path: Path, here: Mapping[str, Any], report: Report) -> Figures:
    """Return the figures in `path` where they were measured `here`, else none; InputError for a broken file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        was = {key: content[key] for key in here}
        figures = Figures.from_json(content)
    except FileNotFoundError:
        return Figures()
    except (OSError, ValueError, TypeError, KeyError, InputError) as error:
        raise InputError(f"{path} is no table of convolution costs; delete it and they are measured anew") from error
    differing = [f"{key} was {was[key]} and is now {now}" for key, now in here.items() if was[key] != now]
    if differing:
        report(f"the convolution costs in {path} are measured anew: {'; '.join(differing)}")
        return Figures()
    return figures


def default_path(device: torch.device, dtype: str, memory_format: str) -> Path:
    """Return where the costs of this processor are remembered: a file in the user's cache folder."""
    here = place(device, dtype, memory_format)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    # Everything that a user switches between has its own file; else two tables would replace each other in turn.
    words = f"{here['device']} {here['threads']} threads {dtype} {memory_format}".lower()
    return Path(cache) / "paretosr" / f"stairs-{re.sub(r'[^a-z0-9_]+', '-', words)}.json"
