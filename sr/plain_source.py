"""A traced network as source code that needs PyTorch alone: its layers, then one statement for each operation."""

import math
import operator
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from sr.errors import InputError

_INDENT = " " * 8
# What only checks sizes, which the code itself will complain of.
_CHECKS = ("_assert_scalar", "_assert_async", "_assert_tensor_metadata", "sym_constrain_range")
# Whose signature in torch.nn.functional is the operator's own.
_FUNCTIONAL = {
    "avg_pool2d", "adaptive_avg_pool2d", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "linear",
    "mish", "pad", "relu6", "silu", "softplus",
}  # fmt: skip
# Arguments that say how memory is held, which follows from the picture.
_HELD = {"layout", "pin_memory"}
_SYMBOLS = {
    operator.add: "+", operator.sub: "-", operator.mul: "*", operator.truediv: "/", operator.floordiv: "//",
    operator.mod: "%", operator.pow: "**",
}  # fmt: skip
_CALLS = {torch.sym_max: "max", torch.sym_min: "min", torch.sym_int: "int", torch.sym_float: "float", operator.neg: "-"}
_TIMES = {2: "twice", 3: "three times", 4: "four times"}
_TENSOR_SYMBOLS = {"add.Tensor": "+", "sub.Tensor": "-", "mul.Tensor": "*", "div.Tensor": "/"}
_INTERPOLATIONS = {
    "upsample_bilinear2d.vec": "bilinear", "upsample_bicubic2d.vec": "bicubic", "upsample_nearest2d.vec": "nearest",
}  # fmt: skip
_SIDES = {0: "count", 2: "height", 3: "width"}
_END = 2**63 - 1


@dataclass(frozen=True)
class PlainSource:
    """A network as code and tensors.

    Attributes:
        code: A module with the class `Network` and the function `load`.
        tensors: Its state_dict.
    """

    code: str
    tensors: Mapping[str, Tensor]


def plain_source(program: ExportedProgram, takes: str, weights_ending: str, scale: int) -> PlainSource:
    """Return a program as source code.

    Args:
        program: Takes one tensor and returns one.
        takes: What the tensor is, in words.
        weights_ending: What the file of the tensors has in place of the code's own ending.
        scale: How many times larger what it returns is.

    Raises:
        InputError: Where it holds what has no such form, as a loop.
    """
    return PlainSource(*_Writer(program).written(takes, weights_ending, scale))


@dataclass
class _Names:
    """Variables of the code: a name is used again once nothing reads what it held, so that memory is given back."""

    free: list[str] = field(default_factory=list)
    made: int = 0

    def take(self) -> str:
        if self.free:
            return self.free.pop()
        self.made += 1
        return "x" if self.made == 1 else f"x{self.made - 1}"

    def give_back(self, name: str) -> None:
        self.free.append(name)
        self.free.sort(key=lambda each: (len(each), each), reverse=True)


class _Writer:
    """Writes one program."""

    def __init__(self, program: ExportedProgram) -> None:
        self.nodes = list(program.graph.nodes)
        self.held: dict[str, str] = {}
        self.words: dict[fx.Node, str] = {}
        self.tensors: dict[str, Tensor] = {}
        self.declared: list[str] = []
        signature = program.graph_signature
        if len(signature.user_outputs) != 1 or any(
            spec.kind != OutputKind.USER_OUTPUT for spec in signature.output_specs
        ):
            raise InputError("a network whose run changes its own tensors has no form as plain code")
        for spec in signature.input_specs:
            if spec.kind == InputKind.USER_INPUT:
                self.given = spec.arg.name
            else:
                assert spec.target is not None
                self.held[spec.arg.name] = spec.target
        self.values = {**program.constants, **program.state_dict}
        self.live = _live(self.nodes)
        self.layers = self._layers()
        self.last_uses = self._last_uses()
        self.names = _Names()

    def written(self, takes: str, weights_ending: str, scale: int) -> tuple[str, dict[str, Tensor]]:
        """Return the code and its tensors."""
        self._declare()
        body = [line for node in self.nodes for line in self._lines(node)]
        code = _TEMPLATE.format(
            times=_TIMES[scale],
            takes=takes,
            weights_ending=weights_ending,
            layers="\n".join(f"{_INDENT}{line}" for line in self.declared),
            body="\n".join(f"{_INDENT}{line}" for line in body),
        )
        return code, self.tensors

    def _layers(self) -> dict[str, list[fx.Node]]:
        """Return the convolutions by the names of those layers that do nothing but convolve, always alike."""
        found: dict[str, list[fx.Node]] = {}
        others: set[str] = set()
        for node in self.nodes:
            own = {self.held[each.name] for each in node.all_input_nodes if each.name in self.held}
            layer = self._layer_of(node)
            if layer is None:
                others |= {name.rpartition(".")[0] for name in own}
            else:
                found.setdefault(layer, []).append(node)
        return {
            layer: nodes
            for layer, nodes in found.items()
            if layer not in others and len({self._convolution(node) for node in nodes}) == 1
        }

    def _layer_of(self, node: fx.Node) -> str | None:
        """Return the name of the convolution that a node runs, where its tensors are one layer's."""
        if node.target is not torch.ops.aten.conv2d.default:
            return None
        weight, bias = self.held.get(_name(node.args[1])), self.held.get(_name(_argument(node, 2)))
        if weight is None or not weight.endswith(".weight"):
            return None
        layer = weight.removesuffix(".weight")
        return layer if _argument(node, 2) is None or bias == f"{layer}.bias" else None

    def _convolution(self, node: fx.Node) -> str:
        """Return the constructor of the layer that a convolution is."""
        weight = self.values[self.held[_name(node.args[1])]]
        groups = _argument(node, 6) or 1
        assert isinstance(groups, int)
        options = {
            "stride": (_argument(node, 3) or [1, 1], 1),
            "padding": (_argument(node, 4) or [0, 0], 0),
            "dilation": (_argument(node, 5) or [1, 1], 1),
            "groups": (groups, 1),
            "bias": (_argument(node, 2) is not None, True),
        }
        written = [
            f"{name}={_pair(value)}" for name, (value, default) in options.items() if _pair(value) != str(default)
        ]
        sides = _pair(list(weight.shape[2:]))
        return f"nn.Conv2d({', '.join([str(weight.shape[1] * groups), str(weight.shape[0]), sides, *written])})"

    def _declare(self) -> None:
        """Write what the constructor makes, and name it."""
        taken = Counter(_identifier(layer) for layer in self.layers)
        for layer, nodes in self.layers.items():
            name = _identifier(layer) if taken[_identifier(layer)] == 1 else f"{_identifier(layer)}_{len(self.tensors)}"
            self.declared.append(f"self.{name} = {self._convolution(nodes[0])}")
            for node in nodes:
                self.words[node] = name
            for tensor in ("weight", "bias"):
                if f"{layer}.{tensor}" in self.values:
                    self.tensors[f"{name}.{tensor}"] = self.values[f"{layer}.{tensor}"].detach()
        in_layers = {name for layer in self.layers for name in (f"{layer}.weight", f"{layer}.bias")}
        for node in self.nodes:
            target = self.held.get(node.name)
            if node.op == "placeholder" and target is not None and target not in in_layers and node in self.live:
                self._declare_tensor(node, target)
        if not self.declared:
            self.declared.append("# It has no tensors of its own.")

    def _declare_tensor(self, node: fx.Node, target: str) -> None:
        """Write what the constructor makes of a tensor that no layer has."""
        name = _identifier(target)
        while name in self.tensors or name in self.words.values():
            name += "_"
        tensor = self.values[target].detach()
        kind = "" if tensor.dtype == torch.float32 else f", dtype={tensor.dtype}"
        self.declared.append(f'self.register_buffer("{name}", torch.empty({list(tensor.shape)}{kind}))')
        self.tensors[name] = tensor
        self.words[node] = f"self.{name}"

    def _last_uses(self) -> dict[fx.Node, list[fx.Node]]:
        """Return by node which others nothing reads behind it."""
        seen: set[fx.Node] = set()
        last: dict[fx.Node, list[fx.Node]] = {}
        for node in reversed(self.nodes):
            if node in self.live:
                last[node] = [each for each in node.all_input_nodes if each not in seen]
                seen |= set(node.all_input_nodes)
        return last

    def _lines(self, node: fx.Node) -> Iterable[str]:
        """Yield the statement of a node."""
        if node.op == "placeholder":
            if node.name == self.given:
                self.words[node] = "lr"
        elif node.op == "output":
            results = node.args[0]
            assert isinstance(results, list | tuple)
            yield f"return {self._word(results[0])}"
        elif node.op != "call_function":
            raise InputError(f"{node.op} {node.target} has no form as plain code")
        elif node in self.live:
            value = self._expression(node)
            name = self.words[node] = self._variable(node)
            if value != name:
                yield f"{name} = {value}"

    def _variable(self, node: fx.Node) -> str:
        """Return the name of a node's result, perhaps one that nothing reads behind it."""
        for read in self.last_uses[node]:
            if _is_tensor(read) and read.op == "call_function":
                self.names.give_back(self.words[read])
        if _is_tensor(node):
            return self.names.take()
        side = node.args[1] if node.target is torch.ops.aten.sym_size.int and self._word(node.args[0]) == "lr" else None
        return _SIDES.get(side, f"{_identifier(node.name)}_") if isinstance(side, int) else f"{_identifier(node.name)}_"

    def _expression(self, node: fx.Node) -> str:
        """Return what a node computes."""
        if node in self.words:
            return f"self.{self.words[node]}({self._word(node.args[0])})"
        words = [self._word(each) for each in node.args]
        if node.target is operator.getitem:
            return f"{words[0]}[{words[1]}]"
        if node.target in _SYMBOLS:
            return f"{words[0]} {_SYMBOLS[node.target]} {words[1]}"
        if node.target in _CALLS:
            return f"{_CALLS[node.target]}({', '.join(words)})"
        if isinstance(node.target, torch._ops.OpOverload) and node.target.namespace == "aten":
            return self._operator(node, node.target, words)
        raise InputError(f"{node.target} has no form as plain code")

    def _operator(self, node: fx.Node, target: torch._ops.OpOverload, words: list[str]) -> str:
        """Return the call of an operator of PyTorch, by the name that people call it by."""
        base, overload = target._schema.name.removeprefix("aten::"), str(target).removeprefix("aten.")
        keywords = [f"{name}={self._word(value)}" for name, value in node.kwargs.items() if name not in _HELD]
        if overload == "sym_size.int":
            return f"{words[0]}.shape[{words[1]}]"
        if overload in _TENSOR_SYMBOLS and not keywords:
            return f"{words[0]} {_TENSOR_SYMBOLS[overload]} {words[1]}"
        if overload == "slice.Tensor" and not keywords:
            return _sliced(*words)
        call = ", ".join([*words, *keywords])
        if overload in _INTERPOLATIONS and not keywords:
            return _interpolated(words, _INTERPOLATIONS[overload])
        if base.removesuffix("_") in _FUNCTIONAL:
            return f"F.{base.removesuffix('_')}({call}{', inplace=True' if base.endswith('_') else ''})"
        if hasattr(torch, base):
            return f"torch.{base}({call})"
        if hasattr(Tensor, base):
            return f"{words[0]}.{base}({', '.join([*words[1:], *keywords])})"
        return f"torch.ops.aten.{base}({call})"

    def _word(self, value: object) -> str:
        """Return an argument as code."""
        if isinstance(value, fx.Node):
            return self.words[value]
        if isinstance(value, list | tuple):
            return f"[{', '.join(self._word(each) for each in value)}]"
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{value}")'
        if isinstance(value, torch.device):
            return "lr.device"
        return repr(value) if value is None or isinstance(value, bool | int | float | str) else str(value)


def _live(nodes: list[fx.Node]) -> set[fx.Node]:
    """Return the nodes whose results are returned, or that change a tensor in place."""
    live: set[fx.Node] = set()
    for node in reversed(nodes):
        changes = isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable
        checks = str(node.target).removeprefix("aten.").startswith(_CHECKS)
        if not checks and (node.op == "output" or node in live or changes):
            live |= {node, *node.all_input_nodes}
    return live


def _argument(node: fx.Node, place: int) -> object:
    return node.args[place] if place < len(node.args) else None


def _name(value: object) -> str:
    return value.name if isinstance(value, fx.Node) else ""


def _identifier(name: str) -> str:
    word = "".join(each if each.isalnum() or each == "_" else "_" for each in name)
    return word if word.isidentifier() else f"_{word}"


def _is_tensor(node: fx.Node) -> bool:
    return isinstance(node.meta.get("val"), Tensor)


def _pair(value: object) -> str:
    """Return two equal sides as one number."""
    if isinstance(value, list | tuple):
        return str(value[0]) if len(set(value)) == 1 else str(tuple(value))
    return str(value)


def _sliced(tensor: str, dim: str = "0", start: str = "None", end: str = "None", step: str = "1") -> str:
    """Return an indexing; the tensor itself where that is all of it."""
    start = "" if start in ("None", "0") else start
    end = "" if end in ("None", str(_END)) else end
    if not start and not end and step == "1":
        return tensor
    if not dim.isdigit():
        return f"torch.ops.aten.slice({tensor}, {dim}, {start or 0}, {end or _END}, {step})"
    return f"{tensor}[{':, ' * int(dim)}{start}:{end}{'' if step == '1' else ':' + step}]"


def _interpolated(words: list[str], mode: str) -> str:
    """Return an enlargement to a size, or by factors; all modes but nearest say whether corners are aligned."""
    tensor, size, *aligned, factors = words if len(words) > 2 else [*words, "None"]
    to = f"size={size}" if size != "None" else f"scale_factor={factors}"
    if mode == "nearest":
        return f'F.interpolate({tensor}, {to}, mode="nearest")'
    return f'F.interpolate({tensor}, {to}, mode="{mode}", align_corners={aligned[0]})'


_TEMPLATE = '''"""A network that enlarges pictures {times}, as plain PyTorch: nothing else has to be installed.

    network = load()     # the weights are in the file beside this one that ends in {weights_ending}
    sr = network(lr)     # {takes}
"""

from pathlib import Path
from typing import Optional, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Network(nn.Module):
    """The network; untrained until `load` gives it its weights."""

    def __init__(self) -> None:
        super().__init__()
{layers}

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge {takes}."""
{body}


def load(weights: Optional[Union[str, Path]] = None) -> Network:
    """Return the network with its weights, in eval mode on the CPU."""
    network = Network()
    path = Path(__file__).with_suffix("{weights_ending}") if weights is None else weights
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()
'''
