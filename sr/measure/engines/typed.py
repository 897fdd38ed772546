"""A network whose graph computes in another dtype: engines that run what a graph says are given one that says it."""

import torch
from torch import Tensor, nn

from sr.deployment import DTYPES, portable


class _Typed(nn.Module):
    """A network that is exported in another dtype: float32 in and out, casts between.

    An export turns every network into float32 first, through its `portable()`: the dtype comes after that.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype

    def portable(self) -> nn.Module:
        """Return the same with the network's portable form, in the dtype."""
        return _Typed(portable(self.network).to(self.dtype), self.dtype)

    def forward(self, lr: Tensor, *others: Tensor) -> Tensor:
        """Map what the network maps."""
        return self.network(*(each.to(self.dtype) for each in (lr, *others))).float()  # type: ignore[no-any-return]


def typed(network: nn.Module, dtype: str) -> nn.Module:
    """Return what a network's graph in a dtype is exported from: what it computes in is what the graph says.

    Args:
        network: Deployed; left as it is.
        dtype: A key of `DTYPES`.
    """
    return network if dtype == "float32" else _Typed(network, DTYPES[dtype])
