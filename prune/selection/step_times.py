"""What steps take between the counts that are measured: few are timed, the others follow from them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import nnls
from torch import nn

from prune.selection.latency_steps import ConvCall, CostTable, Part, Step

# Counts between those that a table is asked for cost what the next one up does: multiples of this, up to so many of
# them a side. A side of a few channels, as a picture's, is never narrowed.
QUANTUM = 8
_GRID = 6
_FEW = 4
# A step over more pixels than these is measured over these and multiplied: it takes long and tells no more.
MOST_PIXELS = 512 * 512

Size = tuple[int, int]


@dataclass(frozen=True)
class StepTimes:
    """The milliseconds of steps by their channel counts.

    Attributes:
        table: What was measured.
        known: What was worked out before; a selection asks for the same thousands of times.
    """

    table: CostTable
    known: dict[tuple[object, ...], float] = field(default_factory=dict)

    def conv_ms(self, conv: nn.Conv2d, size: Size, activation: str, inputs: int, outputs: int) -> float:
        """Return what a convolution takes with other counts, between measured ones linear.

        Args:
            conv: With all its channels.
            size: Height and width of what it reads.
            activation: What it ends in, a key of `ACTIVATIONS`.
            inputs: How many channels it reads; a depthwise one as many as it writes.
            outputs: How many it writes.
        """
        if not (inputs and outputs):
            return 0.0
        whole = conv.kernel_size, conv.stride, conv.groups, conv.in_channels, conv.out_channels
        inputs = outputs if conv.groups > 1 else inputs

        def ms(read: int, written: int) -> float:
            call, times = call_of(conv, size, activation, read, written)
            return times * self.table.ms(call)

        def work_out() -> float:
            if conv.groups > 1:
                return sum(share * ms(count, count) for count, share in around(outputs, conv.out_channels))
            ins, outs = counts_up_to(conv.in_channels), counts_up_to(conv.out_channels)
            return sum(
                share_read * share * _between(ms, (read, ins), (written, outs))
                for written, share in around(outputs, conv.out_channels)
                for read, share_read in around(inputs, conv.in_channels)
            )

        return self._remembered((whole, size, activation, inputs, outputs), work_out)

    def part_ms(self, kind: str, size: Size, channels: int, count: int, most: int) -> float:
        """Return what reading a slice of a tensor takes, or adding to one of it.

        Some engines copy for it, in proportion to the channels of the tensor and to those of the slice.

        Args:
            kind: As of `Part`.
            size: Height and width of the tensor.
            channels: How many it has.
            count: How many of them are meant.
            most: How many it has in the dense network.
        """
        if kind == "read" and count == channels:
            return 0.0

        def work_out() -> float:
            measured, times = shrunk(size)
            whole = count == channels
            parts = [part for part in parts_of(kind, measured, most) if (part.count == part.channels) == whole]
            if not parts:
                return 0.0
            columns = np.array([[part.channels, part.count] for part in parts], dtype=float)
            factors, _ = nnls(columns, np.array([self.table.ms(part) for part in parts]))
            return float(factors @ (channels, count)) * times

        return self._remembered((kind, size, channels, count, most), work_out)

    def _remembered(self, key: tuple[object, ...], work_out: Callable[[], float]) -> float:
        if key not in self.known:
            self.known[key] = work_out()
        return self.known[key]


def call_of(conv: nn.Conv2d, size: Size, activation: str, inputs: int, outputs: int) -> tuple[ConvCall, float]:
    """Return a convolution with so many channels as a table knows it, and how many of that it is.

    That is more than one where the picture is larger than what is measured.
    """
    kernel, stride = (conv.kernel_size[0], conv.kernel_size[1]), min(2, conv.stride[0])
    groups = 1 if conv.groups == 1 else outputs
    measured, times = shrunk(size)
    return ConvCall(kernel, stride, groups, *measured, inputs, outputs, activation), times


def calls_of(conv: nn.Conv2d, size: Size, activation: str, inputs: int, outputs: int) -> Iterator[Step]:
    """Yield what is measured of a convolution with up to so many channels: the margins of a grid, and its corners."""
    ins, outs = counts_up_to(inputs), counts_up_to(outputs)
    pairs = [(count, count) for count in outs]
    if conv.groups == 1:
        pairs = [*((count, outs[-1]) for count in ins), *((ins[-1], count) for count in outs), (ins[0], outs[0])]
    yield from (call_of(conv, size, activation, *pair)[0] for pair in pairs)


def parts_of(kind: str, size: Size, most: int) -> list[Part]:
    """Return what is measured of reading slices of a tensor, or of adding to slices of one, that has up to `most`."""
    counts = counts_up_to(most)
    least, half = counts[0], counts[(len(counts) - 1) // 2]
    pairs = [(most, half), (most, least), (half, least)]
    found = [Part(kind, *size, channels, count) for channels, count in dict.fromkeys(pairs) if count < channels]
    return found if kind == "read" else [*found, Part(kind, *size, most, most)]


def shrunk(size: Size) -> tuple[Size, float]:
    """Return the size of a picture at which it is measured, and how many of that it is."""
    height, width = size
    share = min(1.0, math.sqrt(MOST_PIXELS / (height * width)))
    measured = max(1, round(height * share)), max(1, round(width * share))
    return measured, height * width / math.prod(measured)


def counts_up_to(most: int) -> tuple[int, ...]:
    """Return the counts that are measured on a side of `most` channels: few, evenly apart, and `most`.

    Up to the quantum they are powers of two, and a few channels are measured whole.
    """
    if most <= _FEW:
        return (most,)
    if most <= QUANTUM:
        return (*(2**power for power in range(most.bit_length()) if 2**power < most), most)
    step = QUANTUM * 2 ** max(0, math.ceil(math.log2(most / QUANTUM / _GRID)))
    return (*range(step, most, step), most)


def around(count: int, most: int) -> list[tuple[int, float]]:
    """Return the measured counts around one, with their weights in a linear interpolation.

    The count is rounded up to the quantum first, as devices do.
    """
    measured = counts_up_to(most)
    rounded = count if most <= QUANTUM else min(most, -(-count // QUANTUM) * QUANTUM)
    above = next(each for each in measured if each >= rounded)
    below = max((each for each in measured if each <= rounded), default=above)
    share = (rounded - below) / (above - below) if above > below else 1.0
    return [(below, 1 - share), (above, share)] if 0 < share < 1 else [(above, 1.0)]


def _between(
    ms: Callable[[int, int], float], read: tuple[int, tuple[int, ...]], written: tuple[int, tuple[int, ...]]
) -> float:
    """Return what two counts of a grid take, of which the margins and the corners are measured.

    How far a count lies between the least and all is what the margin says; over both sides that is bilinear: exact for
    times that are a product of what both sides give, or a sum.
    """
    (inputs, ins), (outputs, outs) = read, written
    if inputs == ins[-1] or outputs == outs[-1]:
        return ms(inputs, outputs)
    few, whole = ms(ins[0], outs[0]), ms(ins[-1], outs[-1])
    few_in, few_out = ms(ins[0], outs[-1]), ms(ins[-1], outs[0])
    along = _share(ms(inputs, outs[-1]), few_in, whole)
    across = _share(ms(ins[-1], outputs), few_out, whole)
    narrow = (1 - across) * few + across * few_in
    return (1 - along) * narrow + along * ((1 - across) * few_out + across * whole)


def _share(value: float, least: float, most: float) -> float:
    """Return how far a value lies between two; all the way where they are no two."""
    return min(1.0, max(0.0, (value - least) / (most - least))) if most > least else 1.0
