"""What a step of a network costs on this device by its channel counts, measured once and remembered in a file.

A step is a convolution with its activation, a slice of channels that one reads, or a sum that one is added to. The
latency rises in steps of counts: 33 channels may take twice the time of 32, and 48 no more than 33; and what a slice or
a sum over a part of the channels costs depends on the engine: nothing, or a copy or two. Pruning that counts channels
instead makes a network smaller and not faster.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from prune.rewrite.layers import Accumulate, ContiguousSlice
from prune.selection.framed import Framed, work_of
from sr.errors import InputError
from sr.measure.target import Target
from sr.measure.timing import best_ms
from sr.measure.timing_cache import BURST, Prepare, TimeWorks, TimingCache, Timings, Work, cache_path, place
from sr.progress import Progress, Report, no_report

# A count stays only where the next one kept costs more than this share above it.
WORTH = 0.03
# What a step takes of the time that it takes with its frame, at the least: the difference of two times may be none.
LEAST_SHARE = 0.02
# What a step may end in, for a number of channels; slopes do not matter.
ACTIVATIONS: dict[str, Callable[[int], nn.Module]] = {
    "": lambda _: nn.Identity(),
    "ReLU": lambda _: nn.ReLU(),
    "LeakyReLU": lambda _: nn.LeakyReLU(0.1),
    "PReLU": nn.PReLU,
    "ReLU6": lambda _: nn.ReLU6(),
    "SiLU": lambda _: nn.SiLU(),
    "GELU": lambda _: nn.GELU(),
    "Hardswish": lambda _: nn.Hardswish(),
    "Tanh": lambda _: nn.Tanh(),
}


@dataclass(frozen=True)
class ConvCall:
    """A convolution of one picture, with its activation; padding is kernel // 2, and without channels it is nothing.

    Attributes:
        kernel: Height and width, in pixels.
        stride: 1 or 2.
        groups: 1, or as many as inputs and outputs (depthwise).
        height: Of the input, in pixels.
        width: Of the input, in pixels.
        inputs: How many channels it reads, 0 or more.
        outputs: How many it writes, 0 or more.
        activation: A key of ACTIVATIONS.

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
    activation: str = ""

    def __post_init__(self) -> None:
        sides = (*self.kernel, self.height, self.width)
        if len(sides) != 4 or min(sides) < 1 or self.stride not in (1, 2) or min(self.inputs, self.outputs) < 0:
            raise InputError(f"a convolution has sides of 1 or more, a stride of 1 or 2 and counts from 0, got {self}")
        if self.groups != 1 and not (self.empty or self.groups == self.inputs == self.outputs):
            raise InputError(f"a convolution has 1 group, or is depthwise: groups = inputs = outputs, got {self}")
        if self.activation not in ACTIVATIONS:
            raise InputError(f"a convolution's activation is one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")

    @property
    def empty(self) -> bool:
        """Whether there is nothing to compute."""
        return self.inputs == 0 or self.outputs == 0

    @property
    def frames(self) -> tuple["Frame", "Frame"]:
        """What its input comes from and its output goes to."""
        before = Frame(self.height, self.width, self.inputs)
        behind = replace(before, height=-(-self.height // self.stride), width=-(-self.width // self.stride))
        return before, replace(behind, channels=self.outputs)

    @property
    def key(self) -> str:
        """The name under which its milliseconds, those of its frame included, are remembered."""
        kernel, picture = "x".join(map(str, self.kernel)), f"{self.height}x{self.width}"
        counts = f"{self.inputs} to {self.outputs} {self.activation}".strip()
        return f"conv {kernel} stride {self.stride} groups {self.groups} {picture} {counts}"

    def module(self) -> nn.Module:
        """Return it with its frame."""
        padding = (self.kernel[0] // 2, self.kernel[1] // 2)
        conv = nn.Conv2d(self.inputs, self.outputs, self.kernel, self.stride, padding, groups=self.groups)
        step = nn.Sequential(conv, ACTIVATIONS[self.activation](self.outputs))
        return Framed(step, [self.inputs], self.outputs)


@dataclass(frozen=True)
class Frame:
    """A tensor between two 1x1 convolutions: half of what that takes belongs to each end of a step.

    Attributes:
        height: In pixels.
        width: In pixels.
        channels: How many, 1 or more.
    """

    height: int
    width: int
    channels: int

    @property
    def key(self) -> str:
        """The name under which its milliseconds are remembered."""
        return f"frame {self.height}x{self.width} {self.channels}"

    def module(self) -> nn.Module:
        """Return the two convolutions."""
        return Framed(nn.Identity(), [self.channels], self.channels)


@dataclass(frozen=True)
class Part:
    """The first channels of a wider tensor: read as a slice, or added to in the sum.

    Attributes:
        kind: Which of both.
        height: Of the tensor, in pixels.
        width: Of the tensor, in pixels.
        channels: How many the tensor has.
        count: How many of them are meant, 1 or more.
    """

    kind: str
    height: int
    width: int
    channels: int
    count: int

    @property
    def frames(self) -> tuple[Frame, ...]:
        """What comes in and goes out: one frame per two of these ends."""
        wide, narrow = (Frame(self.height, self.width, channels) for channels in (self.channels, self.count))
        return (wide, narrow) if self.kind == "read" else (wide, wide, narrow)

    @property
    def key(self) -> str:
        """The name under which its milliseconds, those of its frame included, are remembered."""
        return f"{self.kind} {self.height}x{self.width} {self.count} of {self.channels}"

    def module(self) -> nn.Module:
        """Return it with its frame."""
        if self.kind == "read":
            return Framed(ContiguousSlice(0, self.count), [self.channels], self.count)
        places = [range(self.channels), range(self.count)]
        total = Accumulate(self.channels, places, base=0, in_place=True)
        return Framed(total, [self.channels, self.count], self.channels)


Step = ConvCall | Part


class CostTable:
    """The costs of steps on one target, in one memory format; measured when first asked for.

    Args:
        target: Where they are measured, in which engine and dtype.
        memory_format: A key of `sr.memory_format.MEMORY_FORMATS`.
        path: Where they are remembered; None for nowhere. A file of other conditions (processor, versions, threads,
            ...) is replaced.
        report: Gets a line that says so, and how far a longer measuring came.
        time_works: Returns the milliseconds of each of some works, run on a device.
    """

    def __init__(
        self,
        target: Target,
        memory_format: str,
        path: Path | None,
        report: Report = no_report,
        time_works: TimeWorks = best_ms,
    ) -> None:
        self.target, self._report = target, report
        self.table = TimingCache(
            "latency steps", target.device, target.dtype, path, memory_format=memory_format, engine=target.engine,
            execution=target.execution, report=report, time_works=time_works,
        )  # fmt: skip

    @property
    def figures(self) -> Timings:
        """What is known so far."""
        return self.table.timings

    def ms(self, step: Step) -> float:
        """Return the milliseconds of a step without its frame, 0 for an empty one; measured where not known yet."""
        if isinstance(step, ConvCall) and step.empty:
            return 0.0
        self.measure([step])
        with_frame = self.table.ms(step.key)
        frames = sum(self.table.ms(frame.key) for frame in step.frames) / 2
        return max(with_frame - frames, LEAST_SHARE * with_frame)

    def measure(self, steps: Iterable[Step]) -> None:
        """Measure those steps that are not known yet, side by side: cheaper and more even than one by one."""
        missing = self.missing(steps)
        if len(missing) <= BURST:
            self.table.measure(missing)
            return
        label, keys = f"measuring what steps take in {self.target.engine}", list(missing)
        with Progress(label, len(keys), "entry", report=self._report) as progress:
            progress.step(0)
            for first in range(0, len(keys), BURST):
                burst = keys[first : first + BURST]
                self.table.measure({key: missing[key] for key in burst})
                progress.step(len(burst))

    def missing(self, steps: Iterable[Step]) -> dict[str, Prepare]:
        """Return by name what makes a run of each entry, of steps and their frames, that is not known yet."""
        there = [step for step in steps if not (isinstance(step, ConvCall) and step.empty)]
        entries = (*there, *(frame for step in there for frame in step.frames))
        return {each.key: partial(self._work, each) for each in entries if not self.table.knows(each.key)}

    def unknown(self, steps: Iterable[Step]) -> int:
        """Return how many of these steps are not known yet."""
        return sum(not self.table.knows(step.key) for step in steps)

    def save(self) -> None:
        """Write the table to its file, where it has one; where that cannot be, `report` is told."""
        self.table.save()

    def beside_anchor(self, prepare: Sequence[Prepare]) -> list[float]:
        """Return the milliseconds of other work at the speed of the table's own figures; nothing is remembered."""
        return self.table.beside_anchor(prepare)

    def _work(self, step: Step | Frame) -> Work:
        """Return a run of a step with its frame, on random content."""
        module = step.module()
        assert isinstance(module, Framed)
        picture = self.table.random(1, 3, step.height, step.width)
        return work_of(module, self.target, self.table.memory_format, [picture] * len(module.before))


def worth_having(costs: Mapping[int, float]) -> tuple[int, ...]:
    """Return the counts of `costs` (count -> cost), ascending, that are cheaper than the next one kept by over WORTH.

    The largest is always kept. A count whose successor costs the same gives way to it: those channels are free.
    """
    kept: list[int] = []
    for count in sorted(costs, reverse=True):
        if not kept or costs[count] * (1 + WORTH) < costs[kept[-1]]:
            kept.append(count)
    return tuple(reversed(kept))


def _place_of(target: Target, memory_format: str) -> dict[str, Any]:
    """Return what the costs of one table share."""
    return place(target.device, target.dtype, memory_format, target.engine, target.execution)


def default_path(target: Target, memory_format: str) -> Path:
    """Return where the costs on this processor are remembered: a file in the user's cache folder."""
    return cache_path("latency-steps", _place_of(target, memory_format))
