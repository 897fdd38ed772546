"""From the form a network is trained in to the form that runs on the user's device."""

import copy

from torch import nn


def deploy(network: nn.Module) -> nn.Module:
    """Return a copy in eval mode in which every module that has a `fold()` is replaced with what `fold()` returns.

    A foldable module computes in training what the folded one computes alone: parallel branches that sum to one
    convolution, weight norm, batch norm behind a convolution. The function of the network is unchanged.
    """
    deployed = copy.deepcopy(network).eval()
    return fold_children(deployed) if not hasattr(deployed, "fold") else deployed.fold()


def fold_children(module: nn.Module) -> nn.Module:
    """Fold, in place and depth first from the outside, every descendant that can be; return `module`."""
    for name, child in module.named_children():
        setattr(module, name, child.fold() if hasattr(child, "fold") else fold_children(child))
    return module
