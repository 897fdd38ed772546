"""A network with a gate before and after each convolution."""

import copy
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from prune.graph.groups import Group
from prune.graph.liveness import channel_liveness
from prune.graph.plan import Kept, Side
from prune.graph.tracing import Graph

Scores = list[NDArray[np.float64]]


class _GatedConv(nn.Module):
    """A convolution whose inputs and outputs are scaled by gates and hidden by masks.

    The gates scale its weights, which is the same and costs nothing per pixel; the gate behind it also scales the bias.
    While `collecting`, every backward pass adds |gate * gradient| to the scores (Gate Decorator, You et al., NeurIPS
    2019, without its batch norm).

    Args:
        conv: The convolution; copied.
        gates: Per gated side the index of each channel's gate, -1 for none.
    """

    def __init__(self, conv: nn.Conv2d, gates: Mapping[Side, Sequence[int]]) -> None:
        super().__init__()
        self.conv = copy.deepcopy(conv)
        self.collecting = False
        channels: dict[Side, int] = {"inputs": conv.in_channels // conv.groups, "outputs": conv.out_channels}
        for side, count in channels.items():
            indices = torch.tensor(gates.get(side, [-1] * count))
            units = int(indices.max()) + 1
            self.register_buffer(f"{side}_mask", torch.ones(count))
            # The last place stands for channels without a gate and stays 1.
            self.register_buffer(f"{side}_unit", torch.where(indices < 0, units, indices), persistent=False)
            self.register_buffer(f"{side}_score", torch.zeros(units))
            gate = nn.Parameter(torch.ones(units)) if units else None
            self.register_parameter(f"{side}_gate", gate)
            if gate is not None:
                gate.register_post_accumulate_grad_hook(self._collector(side))

    def _collector(self, side: Side) -> Callable[[Tensor], None]:
        """Return the hook that scores one side."""

        def collect(gate: Tensor) -> None:
            if self.collecting and gate.grad is not None:
                # By name: a move to another device replaces the buffer.
                self.get_buffer(f"{side}_score").add_((gate.detach() * gate.grad).abs() * self._shown(side))

        return collect

    def _shown(self, side: Side) -> Tensor:
        """Return per unit 1 where the mask leaves a channel of it, else 0: a penalty has a gradient there too."""
        mask, unit = self.get_buffer(f"{side}_mask"), self.get_buffer(f"{side}_unit")
        units = self.get_buffer(f"{side}_score").numel()
        return mask.new_zeros(units + 1).scatter_reduce(0, unit, mask, "amax")[:units]

    def _scale(self, side: Side) -> Tensor:
        """Return what the channels of a side are multiplied by."""
        mask = self.get_buffer(f"{side}_mask")
        gate: nn.Parameter | None = getattr(self, f"{side}_gate")
        if gate is None:
            return mask
        # Not by an index in brackets: its backward sorts on a GPU.
        gates = torch.cat([gate, gate.new_ones(1)])
        scale: Tensor = mask * gates.index_select(0, self.get_buffer(f"{side}_unit"))
        return scale

    def _scaled(self) -> tuple[Tensor, Tensor | None]:
        """Return the weight and the bias with gates and masks."""
        outputs = self._scale("outputs")
        weight = self.conv.weight * outputs.view(-1, 1, 1, 1) * self._scale("inputs").view(1, -1, 1, 1)
        return weight, None if self.conv.bias is None else self.conv.bias * outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to what the convolution gives."""
        return self.conv._conv_forward(x, *self._scaled())  # type: ignore[no-any-return]

    def fold(self) -> nn.Conv2d:
        """Return the plain convolution; channels under a mask have weights of zero."""
        plain = copy.deepcopy(self.conv)
        with torch.no_grad():
            weight, bias = self._scaled()
            plain.weight.copy_(weight)
            if plain.bias is not None and bias is not None:
                plain.bias.copy_(bias)
        return plain


class Gated(nn.Module):
    """A traced network with gates; (n, 3, h, w) in [0, 1] -> SR of the network's scale.

    Args:
        graph: The dense network; copied where it is trained.
        sites: Where the gates stand, each in one member.
        gate_penalty: The L1 penalty per gate.
    """

    def __init__(self, graph: Graph, sites: Sequence[Group], *, gate_penalty: float = 0.0) -> None:
        super().__init__()
        self.network: fx.GraphModule = copy.deepcopy(graph.module)
        self.graph, self.sites, self.gate_penalty = graph, tuple(sites), gate_penalty
        self.places: list[tuple[str, Side, slice]] = []
        indices: dict[tuple[str, Side], list[int]] = {}
        for site in sites:
            (member,) = site.members
            conv, side = member.conv, member.side
            of_side = indices.setdefault((conv, side), [-1] * _channels_of(graph.conv(graph.convs()[conv]), side))
            first = max(of_side) + 1
            for unit, channels in enumerate(member.channels):
                for channel in channels:
                    of_side[channel] = first + unit
            self.places.append((conv, side, slice(first, first + site.units)))
        for name in graph.convs():
            sides: dict[Side, Sequence[int]] = {side: of for (conv, side), of in indices.items() if conv == name}
            self.network.set_submodule(name, _GatedConv(self.network.get_submodule(name), sides))  # type: ignore[arg-type]

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch of LR pictures."""
        return self.network(lr)  # type: ignore[no-any-return]

    def __deepcopy__(self, memo: dict[int, object]) -> "Gated":
        """Copy the gates but not the traced network, which nothing changes; a copy collects no scores."""
        twin = self.__class__.__new__(self.__class__)
        nn.Module.__init__(twin)
        memo[id(self)] = twin
        twin.network = copy.deepcopy(self.network, memo)
        twin.graph, twin.sites, twin.gate_penalty, twin.places = self.graph, self.sites, self.gate_penalty, self.places
        twin.training = self.training
        return twin

    def convs(self) -> dict[str, _GatedConv]:
        """Return the gated convolutions by the name that the plan gives them."""
        return {name: self.network.get_submodule(name) for name in self.graph.convs()}  # type: ignore[misc]

    def gates(self) -> list[nn.Parameter]:
        """Return all gates."""
        sides = [getattr(conv, f"{side}_gate") for conv in self.convs().values() for side in ("inputs", "outputs")]
        return [gate for gate in sides if gate is not None]

    def penalty(self) -> Tensor:
        """Return the L1 penalty on the gates, which a training adds to its loss."""
        return self.gate_penalty * torch.stack([gate.abs().sum() for gate in self.gates()]).sum()

    def train_gates_alone(self, *, alone: bool) -> None:
        """Freeze all but the gates and collect their scores, or set everything free and collect none."""
        self.requires_grad_(not alone)
        for gate in self.gates():
            gate.requires_grad = True
        for conv in self.convs().values():
            conv.collecting = alone

    def mask(self, kept: Mapping[str, Kept]) -> None:
        """Hide all channels that a plan, in normal form, does not keep."""
        normal = channel_liveness(self.graph, kept).kept
        sides: tuple[Side, ...] = ("inputs", "outputs")
        for name, conv in self.convs().items():
            for side in sides:
                mask = conv.get_buffer(f"{side}_mask")
                # The one input of each filter of a depthwise convolution goes with the filter.
                if side == "outputs" or conv.conv.groups == 1:
                    mask.zero_()
                    mask[list(normal[name].on(side))] = 1

    def scores(self) -> Scores:
        """Return per site the scores of its units since the last reset."""
        convs = self.convs()
        return [
            convs[conv].get_buffer(f"{side}_score")[place].cpu().double().numpy() for conv, side, place in self.places
        ]

    def alive(self) -> list[NDArray[np.bool_]]:
        """Return per site which of its units no mask hides."""
        convs, found = self.convs(), []
        for site in self.sites:
            (member,) = site.members
            mask = convs[member.conv].get_buffer(f"{member.side}_mask").bool().cpu().numpy()
            found.append(np.array([mask[list(channels)].any() for channels in member.channels]))
        return found

    def reset_scores(self) -> None:
        """Set all scores to zero."""
        for conv in self.convs().values():
            for side in ("inputs", "outputs"):
                conv.get_buffer(f"{side}_score").zero_()

    def folded_into(self, graph: Graph) -> None:
        """Put the weights, with gates and masks, into the traced network that surgery works on."""
        convs = self.convs()
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                if not any(name.startswith(f"{conv}.") for conv in convs):
                    graph.module.get_parameter(name).copy_(parameter)
            for name, conv in convs.items():
                plain = conv.fold()
                graph.module.get_submodule(name).load_state_dict(plain.state_dict())


def _channels_of(conv: nn.Conv2d, side: Side) -> int:
    """Return the number of channels on a side, as the weights have them."""
    return conv.in_channels // conv.groups if side == "inputs" else conv.out_channels
