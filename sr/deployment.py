"""From the form a network is trained in to the form that runs on the user's device."""

import copy
from collections.abc import Callable
from typing import cast

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
    deployed = _replaced(copy.deepcopy(network).eval(), "fold")
    # Again: what a fold makes is new, and so in training mode.
    return deployed.eval()


def _replaced(module: nn.Module, form: str) -> nn.Module:
    """Return what the method `form` of a module gives, else the module with its children replaced so, in place."""
    if hasattr(module, form):
        return cast("Callable[[], nn.Module]", getattr(module, form))()
    for name, child in module.named_children():
        setattr(module, name, _replaced(child, form))
    return module


def portable(network: nn.Module) -> nn.Module:
    """Return the network in the form that other engines run: float32 on the CPU, its weights laid out contiguously.

    A module that torch runs fastest in one form and other engines in another has a `portable()`, which returns the
    other one.

    Args:
        network: Deployed; left as it is.

    Returns:
        A copy in eval mode that computes the same.
    """
    copied = copy.deepcopy(network).cpu().float()
    for tensor in (*copied.parameters(), *copied.buffers()):
        tensor.data = tensor.data.contiguous()
    return _replaced(copied, "portable").eval()


class _InDtype(nn.Module):
    """Runs a network in another dtype: float32 pictures in and out, as its quality there is judged."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).to(dtype)
        self.dtype = dtype

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, 3, s*h, s*w), both float32."""
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
