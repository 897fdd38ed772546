"""Which operators overwrite what they read, and where a slim network may let them."""

import operator
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, fx, nn

from prune.layers import Accumulate, Gather, Spread
from prune.rules import reads_size
from sr.errors import InputError

# What stands for an operator that overwrites its operand, where that must stay.
PLAIN: dict[object, Callable[..., object]] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}


def overwrites(node: fx.Node, module: object) -> bool:
    """Tell whether an operator writes into its first argument; module: the one that the node calls, if any."""
    if node.op == "call_module":
        return bool(getattr(module, "inplace", False))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    plain = name.startswith("i") and node.target is getattr(operator, name, None)
    method = node.op == "call_method" and name.endswith("_") and not name.endswith("__")
    return method or (plain and name in ("iadd", "isub", "imul", "itruediv")) or bool(node.kwargs.get("inplace"))


def settle_reads(module: fx.GraphModule) -> None:
    """Let who reads a value after it was overwritten read what overwrote it, which the graph would not tell.

    Raises InputError where the overwritten value is a part of one that is read later.
    """
    order = {node: place for place, node in enumerate(module.graph.nodes)}
    for node in module.graph.nodes:
        owner = module.get_submodule(str(node.target)) if node.op == "call_module" else None
        overwritten = node.args[0] if node.args and overwrites(node, owner) else None
        if not isinstance(overwritten, fx.Node):
            continue
        for user in [user for user in overwritten.users if order[user] > order[node]]:
            user.replace_input_with(overwritten, node)
        origin = overwritten
        while origin.target is operator.getitem and isinstance(origin.args[0], fx.Node):
            origin = origin.args[0]
            if any(order[user] > order[node] and not reads_size(user) for user in origin.users):
                raise InputError(f"a network that is gated overwrites no part of a value that it still reads, but "
                                 f"{node.name} overwrites a part of {origin.name}")  # fmt: skip
    module.recompile()


def settle_overwriting(graph: fx.Graph, modules: Mapping[str, nn.Module | Tensor]) -> None:
    """Let an operator overwrite its operand only where nobody else reads it.

    In the dense network it was a sum or a concatenation, which may have become one of its parts.
    """
    for node in graph.nodes:
        if not overwrites(node, modules.get(str(node.target))) or alone(node.args[0], modules):
            continue
        if node.op == "call_module":
            modules[str(node.target)].inplace = False  # type: ignore[union-attr]
        elif node.op == "call_method":
            node.target = str(node.target).removesuffix("_")
        elif node.target in PLAIN:
            node.target = PLAIN[node.target]
        else:
            node.update_kwarg("inplace", False)  # noqa: FBT003 - the value of that keyword


def alone(node: fx.Node, modules: Mapping[str, nn.Module | Tensor]) -> bool:
    """Tell whether a node's value is memory of its own, or a view of such memory, that only one node reads."""
    if len(node.users) != 1:
        return False
    own = is_fresh(node, modules) or node.target is torch.cat
    return own or (bool(node.all_input_nodes) and all(alone(source, modules) for source in node.all_input_nodes))


def settle_accumulation(graph: fx.Graph, modules: Mapping[str, nn.Module | Tensor]) -> None:
    """Let every sum overwrite a term that covers it and that nobody reads later."""
    order = {node: number for number, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if not isinstance(module, Accumulate):
            continue
        for number, term in enumerate(node.args):
            covers = not module.first_the_whole(number)
            free = reads(term, node, modules) == 1 and last_read(term, order, modules) == order[node]
            if covers and is_fresh(term, modules) and free:
                module.base, module.in_place = number, True
                break


def is_fresh(node: fx.Node, modules: Mapping[str, nn.Module | Tensor]) -> bool:
    """Tell whether a node's value is memory of its own."""
    module = modules.get(str(node.target)) if node.op == "call_module" else None
    return isinstance(module, nn.Conv2d | Accumulate)


def is_view(node: fx.Node, modules: Mapping[str, nn.Module | Tensor]) -> bool:
    """Tell whether a node's value may be the memory of what it reads."""
    module = modules.get(str(node.target)) if node.op == "call_module" else None
    return not isinstance(module, nn.Conv2d | Accumulate | Gather | Spread)


def last_read(node: fx.Node, order: Mapping[fx.Node, int], modules: Mapping[str, nn.Module | Tensor]) -> int:
    """Return the place of the last node that reads a value, also through a view."""
    last = -1
    for user in node.users:
        last = max(last, order[user], last_read(user, order, modules) if is_view(user, modules) else -1)
    return last


def reads(node: fx.Node, reader: fx.Node, modules: Mapping[str, nn.Module | Tensor]) -> int:
    """Return how many arguments of `reader` are a value, also through a view."""
    direct = sum(argument is node for argument in reader.args)
    return direct + sum(reads(user, reader, modules) for user in node.users if is_view(user, modules))
