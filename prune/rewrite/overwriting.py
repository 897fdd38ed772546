"""Where a slim network may overwrite what it reads: chosen after it is written, by who still reads what."""

import operator
from collections.abc import Callable, Mapping, MutableMapping

import torch
from torch import Tensor, fx, nn

from prune.graph.overwriting import overwrites
from prune.rewrite.layers import Accumulate, Gather, Spread

# What stands for an operator that overwrites its operand, where that must stay.
_PLAIN: dict[object, Callable[..., object]] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}


def forbid_shared_overwriting(graph: fx.Graph, modules: Mapping[str, nn.Module | Tensor]) -> None:
    """Let an operator overwrite its operand only where nobody else reads it.

    In the dense network it was a sum or a concatenation, which may have become one of its parts.

    Args:
        graph: The slim network; its calls are changed in place.
        modules: Those that it calls, by name; changed in place.
    """
    for node in graph.nodes:
        if not overwrites(node, modules.get(str(node.target))) or _alone(node.args[0], modules):
            continue
        if node.op == "call_module":
            modules[str(node.target)].inplace = False  # type: ignore[union-attr]
        elif node.op == "call_method":
            node.target = str(node.target).removesuffix("_")
        elif node.target in _PLAIN:
            node.target = _PLAIN[node.target]
        else:
            node.update_kwarg("inplace", False)  # noqa: FBT003 - the value of that keyword


def accumulate_in_place(graph: fx.Graph, modules: MutableMapping[str, nn.Module | Tensor]) -> None:
    """Let every sum overwrite a term that covers it and that nobody reads later.

    Args:
        graph: The slim network.
        modules: Those that it calls, by name; sums that may overwrite are exchanged.
    """
    order = {node: number for number, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if not isinstance(module, Accumulate):
            continue
        for number, term in enumerate(node.args):
            free = _reads(term, node, modules) == 1 and _last_read(term, order, modules) == order[node]
            if module.covers(number) and _is_fresh(term, modules) and free:
                modules[str(node.target)] = module.overwriting(number)
                break


def _alone(node: fx.Node, modules: Mapping[str, nn.Module | Tensor]) -> bool:
    """Return whether a node's value is memory of its own, or a view of such memory, that only one node reads."""
    if len(node.users) != 1:
        return False
    own = _is_fresh(node, modules) or node.target is torch.cat
    return own or (bool(node.all_input_nodes) and all(_alone(source, modules) for source in node.all_input_nodes))


def _is_fresh(node: fx.Node, modules: Mapping[str, nn.Module | Tensor]) -> bool:
    """Return whether a node's value is memory of its own."""
    module = modules.get(str(node.target)) if node.op == "call_module" else None
    return isinstance(module, nn.Conv2d | Accumulate)


def _is_view(node: fx.Node, modules: Mapping[str, nn.Module | Tensor]) -> bool:
    """Return whether a node's value may be the memory of what it reads."""
    module = modules.get(str(node.target)) if node.op == "call_module" else None
    return not isinstance(module, nn.Conv2d | Accumulate | Gather | Spread)


def _last_read(node: fx.Node, order: Mapping[fx.Node, int], modules: Mapping[str, nn.Module | Tensor]) -> int:
    """Return the place of the last node that reads a value, also through a view."""
    last = -1
    for user in node.users:
        last = max(last, order[user], _last_read(user, order, modules) if _is_view(user, modules) else -1)
    return last


def _reads(node: fx.Node, reader: fx.Node, modules: Mapping[str, nn.Module | Tensor]) -> int:
    """Return how many arguments of `reader` are a value, also through a view."""
    direct = sum(argument is node for argument in reader.args)
    return direct + sum(_reads(user, reader, modules) for user in node.users if _is_view(user, modules))
