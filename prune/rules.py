"""What an operator of a traced network does with channels."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import fx, nn

from baselines.hcsrn import cropped, halved

Kind = Literal[
    "image", "parameter", "conv", "depthwise", "each", "filled", "sum", "meet", "product", "cat", "slice", "shuffle",
    "opaque",
]  # fmt: skip


@dataclass(frozen=True)
class Step:
    """What an operator with an output (n, channels, h, w) does with channels.

    kind: `conv` (dense) and `depthwise` may lose channels. `each` treats every channel alone and maps zeros to zeros;
    `filled` too, but turns zeros into something else (a sigmoid). `sum` adds; `meet` is another operator of equal
    partners that gives zero where all are zero; `product` gives zero where one is. `slice` takes `channels` from
    `start` on, `shuffle` is a pixel shuffle by `factor`. `opaque` may mix everything. operands: the nodes with channels
    that it reads.
    """

    kind: Kind
    operands: tuple[fx.Node, ...]
    channels: int
    start: int = 0
    factor: int = 1


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """Return the shape of a node's value, () where it is no single tensor."""
    shape = getattr(node.meta.get("tensor_meta"), "shape", ())
    return tuple(shape)


def reads_size(reader: fx.Node) -> bool:
    """Tell whether a node reads of its operand only the batch, height or width."""
    sized = reader.target is getattr and reader.args[1] == "shape"
    return sized and all(
        user.target is operator.getitem and (user.args[1] in (0, 2, 3, -1, -2) or from_height(user.args[1]))
        for user in reader.users
    )


def from_height(index: object) -> bool:
    """Tell whether an index into a shape is a run of height and width."""
    return isinstance(index, slice) and index.start in (2, -2)


def steps_of(module: fx.GraphModule) -> dict[fx.Node, Step]:
    """Return the step of every node whose value is (1, c, h, w)."""
    steps: dict[fx.Node, Step] = {}
    calls = [str(node.target) for node in module.graph.nodes if node.op == "call_module"]
    for node in module.graph.nodes:
        shape = shape_of(node)
        if len(shape) != 4 or shape[0] != 1 or node.op == "output":
            continue
        rule = RULES[node.op]
        steps[node] = rule(Call(node, module, steps, shape[1], calls)) or opaque(node, steps, shape[1])
    return steps


@dataclass(frozen=True)
class Call:
    """A node whose rule is looked for: the steps before it, its channels, and the names of all modules called."""

    node: fx.Node
    module: fx.GraphModule
    steps: Mapping[fx.Node, Step]
    channels: int
    calls: list[str]

    def operand(self) -> fx.Node | None:
        """Return the first argument where it alone has channels."""
        with_channels = [node for node in self.node.all_input_nodes if node in self.steps]
        first = self.node.args[0] if self.node.args else None
        return first if isinstance(first, fx.Node) and with_channels == [first] else None


def opaque(node: fx.Node, steps: Mapping[fx.Node, Step], channels: int) -> Step:
    """Return the step of which nothing is known."""
    return Step("opaque", tuple(operand for operand in node.all_input_nodes if operand in steps), channels)


def of_attribute(call: Call) -> Step | None:
    """Rule a tensor of the network itself: with one value per channel it may lose channels."""
    per_channel = shape_of(call.node)[2:] == (1, 1)
    return Step("parameter", (), call.channels) if per_channel else None


def of_module(call: Call) -> Step | None:
    """Rule a module of torch's own."""
    module = call.module.get_submodule(str(call.node.target))
    operand = call.operand()
    if operand is None:
        return None
    if isinstance(module, nn.Conv2d):
        return of_conv(module, operand, call)
    if isinstance(module, nn.PixelShuffle):
        return Step("shuffle", (operand,), call.channels, factor=module.upscale_factor)
    if isinstance(module, nn.PReLU) and module.num_parameters > 1 and call.calls.count(str(call.node.target)) > 1:
        return None
    for kind, types in MODULES.items():
        if isinstance(module, types):
            return Step(kind, (operand,), call.channels)
    return None


def of_conv(conv: nn.Conv2d, operand: fx.Node, call: Call) -> Step | None:
    """Rule a convolution, dense or with one filter per channel; one that is called twice belongs to both callers."""
    if call.calls.count(str(call.node.target)) > 1:
        return None
    if conv.groups == 1:
        return Step("conv", (operand,), call.channels)
    alone = conv.groups == conv.in_channels == conv.out_channels
    return Step("depthwise", (operand,), call.channels) if alone else None


def of_function(call: Call) -> Step | None:
    """Rule a function or a method by its name, where `FUNCTIONS` has it."""
    target = call.node.target
    name = target if isinstance(target, str) else getattr(target, "__name__", "")
    rule = FUNCTIONS.get(name)
    return rule(call) if rule else None


def each(call: Call) -> Step | None:
    """Treat every channel alone, zeros to zeros."""
    operand = call.operand()
    kept = operand is not None and call.steps[operand].channels == call.channels and spatial(call.node)
    return Step("each", (operand,), call.channels) if operand is not None and kept else None


def spatial(node: fx.Node) -> bool:
    """Tell whether a reduction, where the node is one, is over height and width and keeps the dimensions."""
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if name not in ("mean", "sum"):
        return True
    dims = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    return dims in ((2, 3), [2, 3], (-2, -1), [-2, -1])


def filled(call: Call) -> Step | None:
    """Treat every channel alone, zeros to something else."""
    operand = call.operand()
    return Step("filled", (operand,), call.channels) if operand is not None else None


def partners(call: Call) -> tuple[fx.Node, ...] | None:
    """Return both operands of a binary operator where both have its channels, or one channel for all."""
    operands = call.node.args[:2]
    if len(operands) < 2 or call.node.kwargs or not all(node in call.steps for node in operands):
        return None
    widths = [call.steps[node].channels for node in operands if isinstance(node, fx.Node)]
    fitting = all(width in (call.channels, 1) for width in widths) and max(widths) == call.channels
    return tuple(node for node in operands if isinstance(node, fx.Node)) if fitting else None


def is_number(value: object, steps: Mapping[fx.Node, Step]) -> bool:
    """Tell whether an argument is one number, also where the network computes it from sizes."""
    if isinstance(value, fx.Node):
        return value not in steps and shape_of(value) in ((), (1,))
    return isinstance(value, int | float)


def added(call: Call) -> Step | None:
    """Rule a sum; with a number it fills zeros."""
    both = partners(call)
    if both is not None and all(shape_of(node) == shape_of(call.node) for node in both):
        return Step("sum", both, call.channels)
    return both_or_number(call, "meet", "filled")


def both_or_number(call: Call, with_both: Kind, with_number: Kind) -> Step | None:
    """Rule a binary operator of two partners, or of one with channels and a number in either place."""
    both = partners(call)
    if both is not None:
        return Step(with_both, both, call.channels)
    nodes = [node for node in call.node.args[:2] if isinstance(node, fx.Node) and node in call.steps]
    others = [value for value in call.node.args[:2] if value not in nodes]
    if len(nodes) == 1 and len(others) == 1 and is_number(others[0], call.steps):
        return Step(with_number, (nodes[0],), call.channels)
    return None


def divided(call: Call) -> Step | None:
    """Rule a division by a number."""
    operand = call.operand()
    if operand is not None and is_number(call.node.args[1], call.steps):
        return Step("each", (operand,), call.channels)
    return None


def joined(call: Call) -> Step | None:
    """Rule a concatenation along the channels."""
    parts = call.node.args[0]
    dim = call.node.args[1] if len(call.node.args) > 1 else call.node.kwargs.get("dim", 0)
    if dim != 1 or not isinstance(parts, list | tuple) or not all(part in call.steps for part in parts):
        return None
    return Step("cat", tuple(part for part in parts if isinstance(part, fx.Node)), call.channels)


def arguments(call: Call) -> tuple[Any, Any]:
    """Return the first two arguments: torch's type for them says nothing."""
    return call.node.args[0], call.node.args[1]


def item(call: Call) -> Step | None:
    """Rule an index: a run of channels, a part of a split, or rows and columns of all channels."""
    source, index = arguments(call)
    if not isinstance(source, fx.Node):
        return None
    if isinstance(index, int):
        return piece(call, source, index)
    plain = isinstance(index, tuple) and all(isinstance(part, slice) and part.step is None for part in index)
    if not plain or call.operand() is None or index[0] != slice(None, None, None):
        return None
    if len(index) == 2 and not any(isinstance(end, fx.Node) for end in (index[1].start, index[1].stop)):
        start, _, _ = index[1].indices(call.steps[source].channels)
        return Step("slice", (source,), call.channels, start=start)
    return Step("each", (source,), call.channels) if index[1] == slice(None, None, None) else None


def piece(call: Call, source: fx.Node, index: int) -> Step | None:
    """Rule a part of what split or chunk gives."""
    name = source.target if isinstance(source.target, str) else getattr(source.target, "__name__", "")
    origin = source.args[0] if source.args else None
    dim = source.args[2] if len(source.args) > 2 else source.kwargs.get("dim", 0)
    if name not in ("split", "chunk") or dim != 1 or origin not in call.steps or not isinstance(origin, fx.Node):
        return None
    sizes = [int(meta.shape[1]) for meta in source.meta["tensor_meta"]]
    return Step("slice", (origin,), call.channels, start=sum(sizes[:index]))


def shuffled(call: Call) -> Step | None:
    """Rule a pixel shuffle by a plain factor."""
    operand, factor = call.operand(), call.node.args[1] if len(call.node.args) > 1 else None
    if operand is None or not isinstance(factor, int):
        return None
    return Step("shuffle", (operand,), call.channels, factor=factor)


def image(call: Call) -> Step | None:
    """Rule the LR picture."""
    return Step("image", (), call.channels)


def padded(call: Call) -> Step | None:
    """Rule the padding of rows and columns, with zeros or with what is there."""
    widths = call.node.args[1] if len(call.node.args) > 1 else ()
    value = call.node.kwargs.get("value", 0)
    return each(call) if isinstance(widths, list | tuple) and len(widths) <= 4 and not value else None


RULES: dict[str, Callable[[Call], Step | None]] = {
    "placeholder": image,
    "get_attr": of_attribute,
    "call_module": of_module,
    "call_function": of_function,
    "call_method": of_function,
}
MODULES: dict[Kind, tuple[type[nn.Module], ...]] = {
    "each": (
        nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.Tanh, nn.Identity, nn.Dropout,
        nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Upsample,
    ),
    "filled": (nn.Sigmoid, nn.Hardsigmoid),
}  # fmt: skip
FUNCTIONS: dict[str, Callable[[Call], Step | None]] = {
    **dict.fromkeys(
        ("relu", "leaky_relu", "silu", "gelu", "tanh", "hardswish", "relu6", "interpolate", "max_pool2d", "avg_pool2d",
         "adaptive_avg_pool2d", "neg", "mean", "sum", "square", "abs", "sqrt", "contiguous", "clone", "detach",
         halved.__name__, cropped.__name__),
        each,
    ),
    **dict.fromkeys(("sigmoid", "hardsigmoid", "exp", "clamp_min", "clamp"), filled),
    **dict.fromkeys(("add", "add_", "iadd"), added),
    **dict.fromkeys(("sub", "sub_", "isub"), lambda call: both_or_number(call, "meet", "filled")),
    **dict.fromkeys(("mul", "mul_", "imul"), lambda call: both_or_number(call, "product", "each")),
    **dict.fromkeys(("maximum", "minimum"), lambda call: both_or_number(call, "meet", "opaque")),
    **dict.fromkeys(("truediv", "div"), divided),
    "cat": joined,
    "getitem": item,
    "pixel_shuffle": shuffled,
    "pad": padded,
}  # fmt: skip
