"""From the form a network is trained in to the form that runs on the user's device."""

import copy
from typing import Protocol, cast

from torch import nn


def deploy(network: nn.Module) -> nn.Module:
    """Return a copy in eval mode in which every module that has a `fold()` is replaced with what `fold()` returns.

    A foldable module computes in training what the folded one computes alone: parallel branches that sum to one
    convolution, weight norm, batch norm behind a convolution. The function of the network is unchanged.
    """
    deployed = copy.deepcopy(network).eval()
    return folded(deployed)


class Foldable(Protocol):
    """A module with a cheaper form of the same function."""

    def fold(self) -> nn.Module:
        """Return that form."""
        ...


def folded(module: nn.Module) -> nn.Module:
    """Return what `module` folds to, else `module` itself with its children folded in place."""
    if hasattr(module, "fold"):
        return cast("Foldable", module).fold()
    for name, child in module.named_children():
        setattr(module, name, folded(child))
    return module
