"""What a plan costs before anything is built: by counting, and by the table of this device's convolutions."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from torch import Tensor, fx

from prune.config import Metric
from prune.graph.liveness import ChannelLiveness, channel_liveness, everything
from prune.graph.sizes import shape_of
from prune.graph.tracing import EXAMPLE, Graph
from prune.selection.latency_steps import ConvCall, CostTable
from sr.lr_size import LrSize

# Counts between those that a table is asked for cost what the next one up does: multiples of this, up to so many of
# them a side.
QUANTUM = 8
_GRID = 6
# A convolution over more pixels than these is measured over these and multiplied: it takes long and tells no more.
MOST_PIXELS = 512 * 512


@dataclass(frozen=True)
class Costs:
    """Costs of plans of one network for an LR picture of one size.

    Counts are those of the convolutions that may lose channels; runtime is in milliseconds, a prediction.

    Attributes:
        graph: The dense network.
        lr_size: Height and width of the LR picture.
        table: What convolutions take on the device; needed for `runtime`.
        known: What was asked of the table before.
        weight: What elementwise operators take of the whole network, as times of what they take alone.
    """

    graph: Graph
    lr_size: LrSize
    table: CostTable | None = None
    known: dict[tuple[str, int, int], float] = field(default_factory=dict)
    weight: float = 1.0

    def of(self, liveness: ChannelLiveness, metric: Metric) -> float:
        """Return what a plan costs."""
        return _METRICS[metric](self, liveness)

    @cached_property
    def dense(self) -> Mapping[Metric, float]:
        """What the network costs with all its channels; runtime only where there is a table."""
        liveness = channel_liveness(self.graph, everything(self.graph))
        metrics: list[Metric] = ["params", "multi_adds", "activations"]
        if self.table is not None:
            metrics.append("runtime")
            self.table.measure(self.grid(liveness))
        return {metric: self.of(liveness, metric) for metric in metrics}

    def size(self, node: fx.Node) -> tuple[int, int]:
        """Return height and width of a node's value, at least 1."""
        shape = shape_of(node)
        sides = zip(shape[2:], EXAMPLE[2:], self.lr_size, strict=True)
        height, width = (max(1, round(side * asked / example)) for side, example, asked in sides)
        return height, width

    @cached_property
    def places(self) -> dict[str, tuple[fx.Node, tuple[int, int], tuple[int, int]]]:
        """Per convolution its node and the sizes of what it reads and writes."""
        convs = self.graph.convs()
        return {
            name: (node, self.size(self.graph.operators[node].operands[0]), self.size(node))
            for name, node in convs.items()
        }

    def counts(self, liveness: ChannelLiveness) -> Iterator[tuple[str, int, int]]:
        """Yield the convolutions that are left, with the numbers of channels that they read and write."""
        for name, kept in liveness.kept.items():
            if kept.inputs and kept.outputs:
                yield name, len(kept.inputs), len(kept.outputs)

    def call(self, name: str, inputs: int, outputs: int) -> tuple[ConvCall, float]:
        """Return a convolution with so many channels as the table knows it, and how many of that it is.

        That is more than one where the picture is larger than what is measured.
        """
        node, (height, width), _ = self.places[name]
        conv = self.graph.conv(node)
        kernel, stride = (conv.kernel_size[0], conv.kernel_size[1]), min(2, conv.stride[0])
        groups = 1 if conv.groups == 1 else outputs
        shrunk = min(1.0, math.sqrt(MOST_PIXELS / (height * width)))
        measured = max(1, round(height * shrunk)), max(1, round(width * shrunk))
        return ConvCall(kernel, stride, groups, *measured, inputs, outputs), height * width / math.prod(measured)

    def conv_ms(self, name: str, inputs: int, outputs: int) -> float:
        """Return what a convolution takes alone with so many channels; linear between measured counts."""
        key = name, inputs, outputs
        if key not in self.known:
            self.known[key] = self._interpolated(name, inputs, outputs) if inputs and outputs else 0.0
        return self.known[key]

    def _interpolated(self, name: str, inputs: int, outputs: int) -> float:
        """Return the mean of the measured counts around, each the more the nearer it is."""
        assert self.table is not None
        conv = self.graph.conv(self.places[name][0])
        total = 0.0
        for written, share in around(outputs, conv.out_channels):
            # What a depthwise convolution reads it writes.
            reads = [(written, 1.0)] if conv.groups > 1 else around(inputs, conv.in_channels)
            for read, share_read in reads:
                call, times = self.call(name, read, written)
                total += share * share_read * times * self.table.conv_ms(call)
        return total

    def grid(self, liveness: ChannelLiveness) -> Iterator[ConvCall]:
        """Yield the calls that plans will ask for: all pairs of counts of every kind of convolution.

        Measured together they take a fraction of the time that they would take one by one.
        """
        for name, inputs, outputs in self.counts(liveness):
            depthwise = self.graph.conv(self.places[name][0]).groups > 1
            for outputs_left in counts_up_to(outputs):
                for inputs_left in [outputs_left] if depthwise else counts_up_to(inputs):
                    yield self.call(name, inputs_left, outputs_left)[0]

    @cached_property
    def _filters(self) -> dict[str, tuple[int, bool, bool]]:
        """Per convolution the pixels of its kernel, whether it is depthwise, and whether it has a bias."""
        convs = {name: self.graph.conv(node) for name, (node, _, _) in self.places.items()}
        return {
            name: (conv.kernel_size[0] * conv.kernel_size[1], conv.groups > 1, conv.bias is not None)
            for name, conv in convs.items()
        }

    def _params(self, liveness: ChannelLiveness) -> float:
        """Return the number of weights and biases."""
        total = 0
        for name, inputs, outputs in self.counts(liveness):
            kernel, depthwise, bias = self._filters[name]
            total += outputs * (kernel * (1 if depthwise else inputs) + bias)
        return float(total)

    def _multi_adds(self, liveness: ChannelLiveness) -> float:
        """Return the number of multiply-accumulates."""
        total = 0
        for name, inputs, outputs in self.counts(liveness):
            kernel, depthwise, _ = self._filters[name]
            _, _, (height, width) = self.places[name]
            total += kernel * (1 if depthwise else inputs) * outputs * height * width
        return float(total)

    def _activations(self, liveness: ChannelLiveness) -> float:
        """Return the number of elements that convolutions write."""
        sizes = ((self.places[name][2], outputs) for name, _, outputs in self.counts(liveness))
        return float(sum(height * width * outputs for (height, width), outputs in sizes))

    def _runtime(self, liveness: ChannelLiveness) -> float:
        """Return the predicted milliseconds: convolutions by the table, the rest by the elements that they write."""
        if self.table is None:
            raise ValueError("a predicted runtime takes the table of a device")
        convs, elements = self.runtimes(liveness)
        return convs + self.weight * elements

    def runtimes(self, liveness: ChannelLiveness) -> tuple[float, float]:
        """Return the milliseconds of all convolutions, each alone, and of all elementwise operators, each alone."""
        assert self.table is not None
        convs = sum(self.conv_ms(*counts) for counts in self.counts(liveness))
        return convs, sum(self.table.elements_ms(elements) for elements in self.elements(liveness))

    def calibrated(self, liveness: ChannelLiveness, whole: Callable[[], Callable[[], Tensor]]) -> "Costs":
        """Return costs that predict what a whole network really takes.

        Beside the convolutions tensors are made, laid out and freed, which takes the longer the more they hold.

        Args:
            liveness: What is left of the network.
            whole: Makes a run of it.
        """
        assert self.table is not None
        self.table.measure(self.grid(liveness))
        (whole_ms,) = self.table.beside_anchor([whole])
        convs, elements = self.runtimes(liveness)
        return replace(self, weight=max(1.0, (whole_ms - convs) / elements)) if elements else self

    def elements(self, liveness: ChannelLiveness) -> Iterator[int]:
        """Yield what each elementwise operator that is left works on."""
        for node, operator in self.graph.operators.items():
            works_through = operator.traits.works_through
            if works_through == "nothing":
                continue
            tensors = (node, *operator.operands) if works_through == "narrowest" else (node,)
            channels = min(int(liveness.stored(tensor).sum()) for tensor in tensors)
            if channels:
                height, width = self.size(node)
                yield channels * height * width


def counts_up_to(most: int) -> tuple[int, ...]:
    """Return the counts that are measured on a side of `most` channels: few, evenly apart, and `most`."""
    if most <= QUANTUM:
        return tuple(range(1, most + 1))
    step = QUANTUM * 2 ** max(0, math.ceil(math.log2(most / QUANTUM / _GRID)))
    return (*range(step, most, step), most)


def around(count: int, most: int) -> list[tuple[int, float]]:
    """Return the measured counts around one, with their weights in a linear interpolation.

    The count is rounded up to the quantum first, as the device does.
    """
    measured = counts_up_to(most)
    rounded = count if most <= QUANTUM else min(most, -(-count // QUANTUM) * QUANTUM)
    above = next(each for each in measured if each >= rounded)
    below = max((each for each in measured if each <= rounded), default=above)
    share = (rounded - below) / (above - below) if above > below else 1.0
    return [(below, 1 - share), (above, share)] if 0 < share < 1 else [(above, 1.0)]


_METRICS: dict[Metric, Callable[[Costs, ChannelLiveness], float]] = {
    "params": Costs._params,
    "multi_adds": Costs._multi_adds,
    "activations": Costs._activations,
    "runtime": Costs._runtime,
}
