"""What a plan costs before anything is built: by counting, and by the table of what steps take on this device."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from torch import fx

from prune.config import Metric
from prune.graph.liveness import ChannelLiveness, channel_liveness, everything
from prune.graph.sizes import reads_size, shape_of
from prune.graph.tracing import EXAMPLE, Graph
from prune.selection.latency_steps import CostTable, Step
from prune.selection.step_times import StepTimes, calls_of, parts_of, shrunk
from prune.selection.steps import Total, activation_of, held, totals_of
from sr.lr_size import LrSize
from sr.measure.timing_cache import Prepare


@dataclass(frozen=True)
class _Place:
    """A convolution in the network: its node, the sizes of what it reads and writes, its activation, and its sum."""

    node: fx.Node
    read_size: tuple[int, int]
    size: tuple[int, int]
    activation: str


@dataclass(frozen=True)
class Costs:
    """Costs of plans of one network for an LR picture of one size.

    Counts are those of the convolutions that may lose channels; runtime is in milliseconds, a prediction: the sum of
    the network's steps, each in the way that is cheapest for it, and of what all else takes by its elements.

    Attributes:
        graph: The dense network.
        lr_size: Height and width of the LR picture.
        table: What steps take on the device; needed for `runtime`.
        element_ms: What operators that belong to no step take per element that they write.
    """

    graph: Graph
    lr_size: LrSize
    table: CostTable | None = None
    element_ms: float = 0.0

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
    def places(self) -> dict[str, _Place]:
        """Per convolution where it stands."""
        return {
            name: _Place(
                node, self.size(self.graph.operators[node].operands[0]), self.size(node),
                activation_of(self.graph, node)[1],
            )
            for name, node in self.graph.convs().items()
        }  # fmt: skip

    @cached_property
    def totals(self) -> tuple[Total, ...]:
        """The sums of the network."""
        return totals_of(self.graph)

    def counts(self, liveness: ChannelLiveness) -> Iterator[tuple[str, int, int]]:
        """Yield the convolutions that are left, with the numbers of channels that they read and write."""
        for name, kept in liveness.kept.items():
            if kept.inputs and kept.outputs:
                yield name, len(kept.inputs), len(kept.outputs)

    @cached_property
    def times(self) -> StepTimes:
        """What single steps take."""
        if self.table is None:
            raise ValueError("a predicted runtime takes the table of a device")
        return StepTimes(self.table)

    def conv_ms(self, name: str, inputs: int, outputs: int) -> float:
        """Return what a convolution with its activation takes with so many channels."""
        place = self.places[name]
        return self.times.conv_ms(self.graph.conv(place.node), place.read_size, place.activation, inputs, outputs)

    def grid(self, liveness: ChannelLiveness) -> Iterator[Step]:
        """Yield the steps that plans will ask for, once each.

        Measured together they take a fraction of the time that they would take one by one.
        """
        yield from dict.fromkeys(self._grid(liveness))

    def _grid(self, liveness: ChannelLiveness) -> Iterator[Step]:
        for name, inputs, outputs in self.counts(liveness):
            place = self.places[name]
            conv = self.graph.conv(place.node)
            yield from calls_of(conv, place.read_size, place.activation, inputs, outputs)
            if conv.groups == 1 and self._is_shared(name):
                yield from parts_of("read", shrunk(place.read_size)[0], conv.in_channels)
        for total in self.totals:
            channels = self.graph.operators[total.node].channels
            yield from parts_of("sum", shrunk(self.size(total.node))[0], channels)

    def _is_shared(self, name: str) -> bool:
        """Return whether others read what a convolution reads, so that it may hold more than this one keeps."""
        source = self.graph.operators[self.places[name].node].operands[0]
        return sum(not reads_size(reader) for reader in source.users) > 1

    @cached_property
    def _filters(self) -> dict[str, tuple[int, bool, bool]]:
        """Per convolution the pixels of its kernel, whether it is depthwise, and whether it has a bias."""
        convs = {name: self.graph.conv(place.node) for name, place in self.places.items()}
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
            height, width = self.places[name].size
            total += kernel * (1 if depthwise else inputs) * outputs * height * width
        return float(total)

    def _activations(self, liveness: ChannelLiveness) -> float:
        """Return the number of elements that convolutions write."""
        sizes = ((self.places[name].size, outputs) for name, _, outputs in self.counts(liveness))
        return float(sum(height * width * outputs for (height, width), outputs in sizes))

    def _runtime(self, liveness: ChannelLiveness) -> float:
        """Return the predicted milliseconds: steps by the table, the rest by the elements that it writes."""
        return self.steps_ms(liveness) + self.element_ms * sum(self.elements(liveness))

    def steps_ms(self, liveness: ChannelLiveness) -> float:
        """Return the milliseconds of all steps, each in the way that is the cheapest for it.

        A convolution reads the channels that it keeps through a slice, or all that the tensor has with weights of zero;
        and so it writes.
        """
        added, total_ms = self._added(liveness)
        for name, inputs, outputs in self.counts(liveness):
            place = self.places[name]
            conv = self.graph.conv(place.node)
            if conv.groups > 1:
                total_ms += self.conv_ms(name, inputs, outputs)
                continue
            width = max(inputs, held(liveness, self.graph.operators[place.node].operands[0]))
            sliced_ms = self.times.part_ms("read", place.read_size, width, inputs, conv.in_channels)
            reads = {inputs: sliced_ms, width: 0.0}
            writes = added.get(name, {outputs: 0.0})
            total_ms += min(
                self.conv_ms(name, read, written) + read_ms + written_ms
                for read, read_ms in reads.items()
                for written, written_ms in writes.items()
            )
        return total_ms

    def _added(self, liveness: ChannelLiveness) -> tuple[dict[str, dict[int, float]], float]:
        """Return what sums take: per convolution that is added to one by how much of it it writes, and all else."""
        by_conv: dict[str, dict[int, float]] = {}
        others_ms = 0.0
        for total in self.totals:
            width, terms = total.added(liveness)
            size, most = self.size(total.node), self.graph.operators[total.node].channels
            for term, count in terms:
                ms = {each: self.times.part_ms("sum", size, width, each, most) for each in {count, width}}
                if term.conv is None:
                    others_ms += ms[count]
                else:
                    by_conv[term.conv] = ms
        return by_conv, others_ms

    def calibrated(self, liveness: ChannelLiveness, whole: Prepare) -> "Costs":
        """Return costs that predict what a whole network really takes.

        What its steps do not account for is spread over all other operators, by the elements that they write.

        Args:
            liveness: What is left of the network.
            whole: Makes a run of it.
        """
        assert self.table is not None
        self.table.measure(self.grid(liveness))
        (whole_ms,) = self.table.beside_anchor([whole])
        elements = sum(self.elements(liveness))
        return replace(self, element_ms=max(0.0, whole_ms - self.steps_ms(liveness)) / elements) if elements else self

    @cached_property
    def _in_steps(self) -> frozenset[fx.Node]:
        """The operators that are parts of steps."""
        activations = (activation_of(self.graph, place.node)[0] for place in self.places.values())
        sums = (node for total in self.totals for node in total.chain)
        return frozenset(node for node in (*activations, *sums) if node is not None)

    def elements(self, liveness: ChannelLiveness) -> Iterator[int]:
        """Yield what each operator that belongs to no step and is left works on."""
        for node, operator in self.graph.operators.items():
            works_through = operator.traits.works_through
            if works_through == "nothing" or node in self._in_steps:
                continue
            tensors = (node, *operator.operands) if works_through == "narrowest" else (node,)
            channels = min(held(liveness, tensor) for tensor in tensors)
            if channels:
                height, width = self.size(node)
                yield channels * height * width


_METRICS: dict[Metric, Callable[[Costs, ChannelLiveness], float]] = {
    "params": Costs._params,
    "multi_adds": Costs._multi_adds,
    "activations": Costs._activations,
    "runtime": Costs._runtime,
}
