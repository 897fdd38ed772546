"""Which kind of operator each module, function and method of torch is."""

from collections.abc import Callable
from typing import Any

from torch import fx, nn

from baselines.networks.hcsrn import cropped, halved
from prune.graph.operators.call import Call, name_of
from prune.graph.operators.channelwise import channel_module, channelwise, divided, padded, prelu, zero_filling
from prune.graph.operators.convolutions import convolution
from prune.graph.operators.operator import Operator
from prune.graph.operators.pairwise import added, extreme, multiplied, subtracted
from prune.graph.operators.rearranging import concatenated, indexed, shuffle_module, shuffled
from prune.graph.operators.whole import image, opaque, parameter
from prune.graph.sizes import shape_of

Recognise = Callable[[Call], Operator | None]

# Modules whose attributes say what they do, and those of which the type says all.
_MODULES: dict[type[nn.Module], Callable[[Call, Any], Operator | None]] = {
    nn.Conv2d: convolution,
    nn.PixelShuffle: shuffle_module,
    nn.PReLU: prelu,
    **dict.fromkeys(
        (
            nn.ReLU, nn.LeakyReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.Tanh, nn.Identity, nn.Dropout,
            nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Upsample,
        ),
        lambda call, _: channel_module(call),
    ),
    **dict.fromkeys((nn.Sigmoid, nn.Hardsigmoid), lambda call, _: zero_filling(call)),
}  # fmt: skip
# By the name of the function or method.
_FUNCTIONS: dict[str, Recognise] = {
    **dict.fromkeys(
        ("relu", "leaky_relu", "silu", "gelu", "tanh", "hardswish", "relu6", "interpolate", "max_pool2d", "avg_pool2d",
         "adaptive_avg_pool2d", "neg", "mean", "sum", "square", "abs", "sqrt", "contiguous", "clone", "detach",
         halved.__name__, cropped.__name__),
        channelwise,
    ),
    **dict.fromkeys(("sigmoid", "hardsigmoid", "exp", "clamp_min", "clamp"), zero_filling),
    **dict.fromkeys(("add", "add_", "iadd"), added),
    **dict.fromkeys(("sub", "sub_", "isub"), subtracted),
    **dict.fromkeys(("mul", "mul_", "imul"), multiplied),
    **dict.fromkeys(("maximum", "minimum"), extreme),
    **dict.fromkeys(("truediv", "div"), divided),
    "cat": concatenated,
    "getitem": indexed,
    "pixel_shuffle": shuffled,
    "pad": padded,
}  # fmt: skip


def operators_of(module: fx.GraphModule) -> dict[fx.Node, Operator]:
    """Return the operator of every node whose value is (1, c, h, w), in the order of execution.

    Args:
        module: A traced network, with the shapes of its values (`ShapeProp`).
    """
    operators: dict[fx.Node, Operator] = {}
    called = [str(node.target) for node in module.graph.nodes if node.op == "call_module"]
    for node in module.graph.nodes:
        shape = shape_of(node)
        if len(shape) != 4 or shape[0] != 1 or node.op == "output":
            continue
        call = Call(node, module, operators, shape[1], called)
        operators[node] = _NODES[node.op](call) or opaque(call)
    return operators


def _of_module(call: Call) -> Operator | None:
    """Recognise a module of torch's own."""
    module = call.module.get_submodule(str(call.node.target))
    recognise = next((found for kind, found in _MODULES.items() if isinstance(module, kind)), None)
    return recognise(call, module) if recognise else None


def _of_function(call: Call) -> Operator | None:
    """Recognise a function or a method by its name."""
    recognise = _FUNCTIONS.get(name_of(call.node))
    return recognise(call) if recognise else None


# By what fx calls the node.
_NODES: dict[str, Recognise] = {
    "placeholder": image,
    "get_attr": parameter,
    "call_module": _of_module,
    "call_function": _of_function,
    "call_method": _of_function,
}
