"""Pruned networks as descriptions: the dense network and the plan. Loading needs none of the training code."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from prune.graph.liveness import everything
from prune.graph.plan import Kept, Plan
from prune.graph.tracing import Graph, trace
from prune.rewrite.surgery import Surgery, slim
from sr.checkpoint import Checkpoint, Description
from sr.errors import InputError

FAMILY = "pruned"


def build_family(config: Mapping[str, Any]) -> nn.Module:
    """Build the network that a checkpoint describes.

    Args:
        config: {"of": {"family", "config"}, "plan"}: the dense network and what is left of it.

    Returns:
        The slim network, weights untrained, in eval mode.

    Raises:
        ValueError: Where the config breaks a constraint.
    """
    dense, plan = _parts(config)
    graph = trace(dense.build())
    _check_names(graph, plan)
    _check_orders(graph, plan)
    return slim(graph, plan)


def _parts(config: Mapping[str, Any]) -> tuple[Description, Plan]:
    """Return the dense network's description and the plan in a config; raises ValueError where it is none."""
    try:
        dense, plan = Description(config["of"]["family"], dict(config["of"]["config"])), Plan.from_json(config["plan"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            "a pruned network's config has `of` with a family and a config, and a `plan` with lists of channels as "
            f"`kept`, of accesses as `execution` and of channels as `orders`; got the keys {sorted(map(str, config))}"
        ) from error
    if dense.family == FAMILY:
        raise ValueError("a pruned network is described by the dense network that it comes from")
    return dense, plan


def _check_names(graph: Graph, plan: Plan) -> None:
    """Raise ValueError where a plan names convolutions that the network has not, or channels that are no numbers."""
    convs = graph.convs()
    for name in (*plan.kept, *plan.execution):
        if name not in convs:
            raise ValueError(
                f"a plan names convolutions of its network, but this one has no {name!r} that may lose channels"
            )
    for name, kept in plan.kept.items():
        strange = [channel for channel in (*kept.inputs, *kept.outputs) if type(channel) is not int]
        if strange:
            raise ValueError(f"kept channels are whole numbers, got {strange[0]!r} for {name}")


def _check_orders(graph: Graph, plan: Plan) -> None:
    """Raise ValueError where an order is not one of all channels of a tensor of the network."""
    components = set(graph.components.values())
    firsts = [next(node for node, number in graph.components.items() if number == each) for each in components]
    widths = {node.name: graph.operators[node].channels for node in firsts}
    for name, order in plan.orders.items():
        if name not in widths or sorted(order) != list(range(widths[name])):
            width = f"each of its {widths[name]} channels once" if name in widths else "a tensor that there is"
            raise ValueError(f"the order of the channels of {name} must have {width}, got {len(order)} channels")


def describe(dense: Description, plan: Plan) -> Description:
    """Return the description of what a plan leaves of a dense network."""
    return Description(FAMILY, {"of": {"family": dense.family, "config": dict(dense.config)}, "plan": plan.to_json()})


def opened(checkpoint: Checkpoint) -> tuple[Description, Graph, dict[str, Kept]]:
    """Return what pruning starts from.

    A network that was pruned before gets back its dense form, zeros where channels are gone; the function is the same.

    Args:
        checkpoint: Of a dense or a pruned network.

    Returns:
        The dense network's description, the network traced, and what it keeps so far.

    Raises:
        InputError: Where its forward cannot be followed or its tensors have no place in it.
    """
    description = checkpoint.description
    if description.family != FAMILY:
        graph = trace(checkpoint.build())
        return description, graph, everything(graph)
    network = checkpoint.build()
    dense, plan = _parts(description.config)
    graph = trace(dense.build())
    return dense, graph, spread(graph, plan, network)


def spread(graph: Graph, plan: Plan, network: nn.Module) -> dict[str, Kept]:
    """Put a pruned network's weights into the dense network at their places; return what it keeps.

    Of what no convolution holds, slopes of activations go to the channels that are left, the rest is taken over.
    """
    surgery = Surgery(graph, plan)
    surgery.operate()
    kept = {name: Kept((), ()) for name in graph.convs()}
    tensors = network.state_dict()
    with torch.no_grad():
        for name in graph.convs():
            conv = graph.module.get_submodule(name)
            assert isinstance(conv, nn.Conv2d)
            conv.weight.zero_()
            if conv.bias is not None:
                conv.bias.zero_()
        # One whose size alone was read may have been sliced and then left out.
        sliced = {name: layouts for name, layouts in surgery.conv_layouts.items() if f"{name}.weight" in tensors}
        for name, (reads, writes) in sliced.items():
            conv = graph.module.get_submodule(name)
            assert isinstance(conv, nn.Conv2d)
            rows, columns = torch.tensor(writes), torch.tensor(reads)
            if conv.groups > 1:
                conv.weight[rows] = tensors.pop(f"{name}.weight")
            else:
                conv.weight[rows[:, None], columns] = tensors.pop(f"{name}.weight")
            if conv.bias is not None:
                conv.bias[rows] = tensors.pop(f"{name}.bias")
            kept[name] = Kept(tuple(sorted(reads)), tuple(sorted(writes)))
        for name, tensor in tensors.items():
            _take_over(graph, surgery, name, tensor)
    return kept


def _take_over(graph: Graph, surgery: Surgery, name: str, tensor: torch.Tensor) -> None:
    """Put a tensor that belongs to no convolution into the dense network."""
    target = graph.module.state_dict().get(name)
    owner = name.rpartition(".")[0]
    if target is None:
        raise InputError(f"{name} has no place in the dense network that this one was pruned from")
    # By the channels even where all are left: their order may be another.
    if owner in surgery.slopes and len(target) > 1:
        target[list(surgery.slopes[owner])] = tensor
    else:
        target.copy_(tensor)
