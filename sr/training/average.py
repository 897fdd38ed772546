"""The exponential moving average of a network's weights, which is what is used after a training."""

import copy
import itertools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """Follows a network: floating tensors by a decay, others (counts, indices) at once.

    torch's `AveragedModel` keeps its count on the CPU and brings it to a GPU in each step, which waits for that; and it
    averages whole numbers, where 0.9 * 3 + 0.1 * 3 becomes 2.

    Args:
        network: Copied.
        decay: How much of the average stays in an update, over 0 and under 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(network)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, *, first: bool) -> None:
        """Follow the network by one step; the first of all takes all over."""
        averages, currents = _tensors_of(self.module), _tensors_of(network)
        floats = [each.is_floating_point() and not first for each in averages]
        averaged = list(itertools.compress(averages, floats))
        if averaged:
            torch._foreach_lerp_(averaged, list(itertools.compress(currents, floats)), 1 - self._decay)
        for average, current, is_averaged in zip(averages, currents, floats, strict=True):
            if not is_averaged:
                average.copy_(current)

    def state_dict(self) -> dict[str, Any]:
        """Return the average."""
        return self.module.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; raises RuntimeError where it is of another network."""
        self.module.load_state_dict(state)


def _tensors_of(network: nn.Module) -> list[Tensor]:
    """Return the parameters and buffers of a network."""
    return [each.detach() for each in itertools.chain(network.parameters(), network.buffers())]
