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
        decay: How much of the average stays in an update, over 0 and under 1; the first one takes all over.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(network)
        self._decay, self._updates = decay, 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Follow the network by one step."""
        averages, currents = _tensors_of(self.module), _tensors_of(network)
        floats = [each.is_floating_point() and self._updates > 0 for each in averages]
        averaged = list(itertools.compress(averages, floats))
        if averaged:
            torch._foreach_lerp_(averaged, list(itertools.compress(currents, floats)), 1 - self._decay)
        for average, current, is_averaged in zip(averages, currents, floats, strict=True):
            if not is_averaged:
                average.copy_(current)
        self._updates += 1

    def state_dict(self) -> dict[str, Any]:
        """Return what the next update depends on, under the names that torch's own has."""
        tensors = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        return {"n_averaged": torch.tensor(self._updates), **tensors}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; raises RuntimeError or KeyError where it is of another network."""
        updates = int(state["n_averaged"])
        self.module.load_state_dict(
            {name.removeprefix("module."): value for name, value in state.items() if name != "n_averaged"}
        )
        self._updates = updates


def _tensors_of(network: nn.Module) -> list[Tensor]:
    """Return the parameters and buffers of a network."""
    return [each.detach() for each in itertools.chain(network.parameters(), network.buffers())]
