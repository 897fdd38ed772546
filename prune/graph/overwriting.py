"""Which operators of a network that is traced overwrite what they read, and what their readers then read."""

import operator

from torch import fx

from prune.graph.sizes import reads_size
from sr.errors import InputError


def overwrites(node: fx.Node, module: object) -> bool:
    """Return whether an operator writes into its first argument; module: the one that the node calls, if any."""
    if node.op == "call_module":
        return bool(getattr(module, "inplace", False))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    plain = name.startswith("i") and node.target is getattr(operator, name, None)
    method = node.op == "call_method" and name.endswith("_") and not name.endswith("__")
    return method or (plain and name in ("iadd", "isub", "imul", "itruediv")) or bool(node.kwargs.get("inplace"))


def read_what_overwrote(module: fx.GraphModule) -> None:
    """Let who reads a value after it was overwritten read what overwrote it, which the graph would not tell.

    Raises:
        InputError: Where the overwritten value is a part of one that is read later.
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
