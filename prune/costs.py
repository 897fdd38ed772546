"""What a plan costs before anything is built: by counting, and by the table of this device's convolutions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from torch import fx

from prune.flow import Flow, everything, flow
from prune.graph import EXAMPLE, Graph, shape_of
from prune.stairs import ConvCall, CostTable
from sr.lr_size import LrSize

Metric = Literal["params", "multi_adds", "activations", "runtime"]
# Counts between those that a table is asked for cost what the next one up does.
QUANTUM = 8
ELEMENTWISE = ("each", "filled", "sum", "meet", "product", "cat", "shuffle")


@dataclass(frozen=True)
class Costs:
    """Costs of plans of one network for an LR picture of `lr_size` (height, width); table is needed for `runtime`.

    Counts are those of the convolutions that may lose channels; runtime is in milliseconds, a prediction.
    """

    graph: Graph
    lr_size: LrSize
    table: CostTable | None = None

    def of(self, followed: Flow, metric: Metric) -> float:
        """Return what a plan costs."""
        return METRICS[metric](self, followed)

    @cached_property
    def dense(self) -> Mapping[Metric, float]:
        """What the network costs with all its channels; runtime only where there is a table."""
        followed = flow(self.graph, everything(self.graph))
        metrics: list[Metric] = ["params", "multi_adds", "activations"]
        if self.table is not None:
            metrics.append("runtime")
            self.table.measure([call for _, call in self.calls(followed)])
        return {metric: self.of(followed, metric) for metric in metrics}

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
            name: (node, self.size(self.graph.steps[node].operands[0]), self.size(node)) for name, node in convs.items()
        }

    def counts(self, followed: Flow) -> Iterator[tuple[str, int, int]]:
        """Yield the convolutions that are left, with the numbers of channels that they read and write."""
        for name, kept in followed.kept.items():
            if kept.inputs and kept.outputs:
                yield name, len(kept.inputs), len(kept.outputs)

    def calls(self, followed: Flow) -> Iterator[tuple[str, ConvCall]]:
        """Yield the convolutions that are left as the table knows them, counts rounded up."""
        for name, inputs, outputs in self.counts(followed):
            node, (height, width), _ = self.places[name]
            conv = self.graph.conv(node)
            inputs, outputs = rounded(inputs, conv.in_channels), rounded(outputs, conv.out_channels)
            kernel, stride = (conv.kernel_size[0], conv.kernel_size[1]), min(2, conv.stride[0])
            groups = 1 if conv.groups == 1 else outputs
            yield name, ConvCall(kernel, stride, groups, height, width, inputs, outputs)

    def params(self, followed: Flow) -> float:
        """Return the number of weights and biases."""
        total = 0
        for name, inputs, outputs in self.counts(followed):
            conv = self.graph.conv(self.places[name][0])
            per_output = conv.kernel_size[0] * conv.kernel_size[1] * (inputs if conv.groups == 1 else 1)
            total += outputs * (per_output + (conv.bias is not None))
        return float(total)

    def multi_adds(self, followed: Flow) -> float:
        """Return the number of multiply-accumulates."""
        total = 0
        for name, inputs, outputs in self.counts(followed):
            node, _, (height, width) = self.places[name]
            conv = self.graph.conv(node)
            kernel = conv.kernel_size[0] * conv.kernel_size[1] * (inputs if conv.groups == 1 else 1)
            total += kernel * outputs * height * width
        return float(total)

    def activations(self, followed: Flow) -> float:
        """Return the number of elements that convolutions write."""
        sizes = ((self.places[name][2], outputs) for name, _, outputs in self.counts(followed))
        return float(sum(height * width * outputs for (height, width), outputs in sizes))

    def runtime(self, followed: Flow) -> float:
        """Return the predicted milliseconds: convolutions by the table, the rest by the elements that they write."""
        if self.table is None:
            raise ValueError("a predicted runtime takes the table of a device")
        convs = sum(self.table.conv_ms(call) for _, call in self.calls(followed))
        return convs + sum(self.table.elements_ms(elements) for elements in self.elements(followed))

    def elements(self, followed: Flow) -> Iterator[int]:
        """Yield what each elementwise operator that is left works on."""
        for node, step in self.graph.steps.items():
            if step.kind not in ELEMENTWISE:
                continue
            stored = int(followed.stored(node).sum())
            if step.kind == "sum":
                # A narrow term is added to a part of the sum.
                stored = min(stored, *(int(followed.stored(operand).sum()) for operand in step.operands))
            height, width = self.size(node)
            if stored:
                yield stored * height * width


def rounded(count: int, most: int) -> int:
    """Return the count up to the next multiple of the quantum, at most all."""
    return count if most <= QUANTUM else min(most, -(-count // QUANTUM) * QUANTUM)


METRICS: dict[Metric, Callable[[Costs, Flow], float]] = {
    "params": Costs.params,
    "multi_adds": Costs.multi_adds,
    "activations": Costs.activations,
    "runtime": Costs.runtime,
}
