"""From the form a network is trained in to the form that runs on the user's device."""

import copy
from typing import Protocol, cast

import torch
from torch import Tensor, nn

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def deploy(network: nn.Module) -> nn.Module:
    """Return the network that runs on the user's device: the same function, folded.

    A foldable module has a `fold()` and computes in training what the module that it returns computes alone: parallel
    branches that sum to one convolution, weight norm, batch norm behind a convolution.

    Args:
        network: In training form, in any mode; left as it is.

    Returns:
        A copy in eval mode in which every foldable module is replaced with what it folds to.
    """
    deployed = _folded(copy.deepcopy(network).eval())
    # Again: what a fold makes is new, and so in training mode.
    return deployed.eval()


class _Foldable(Protocol):
    """A module with a cheaper form of the same function."""

    def fold(self) -> nn.Module:
        """Return that form."""
        ...


def _folded(module: nn.Module) -> nn.Module:
    """Return what `module` folds to, else `module` itself with its children folded in place."""
    if hasattr(module, "fold"):
        return cast("_Foldable", module).fold()
    for name, child in module.named_children():
        setattr(module, name, _folded(child))
    return module


class _InDtype(nn.Module):
    """Runs a network in another dtype: float32 pictures in and out, as its quality there is judged."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).to(dtype)
        self.dtype = dtype

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, 3, 4h, 4w), both float32."""
        return self.network(lr.to(self.dtype)).float()  # type: ignore[no-any-return]


def in_dtype(network: nn.Module, dtype: str) -> nn.Module:
    """Return a network that computes in a dtype, float32 pictures in and out.

    Args:
        network: In float32, left as it is.
        dtype: A key of `DTYPES`.

    Returns:
        `network` itself for float32, else a copy.
    """
    return network if dtype == "float32" else _InDtype(network, DTYPES[dtype])
