"""What a training makes small: distances between SR and HR, each (n, 3, h, w) in [0, 1]."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

# GCSR's report names its gradient loss and gives no weight.
GRADIENT_WEIGHT = 0.1


def charbonnier(sr: Tensor, hr: Tensor) -> Tensor:
    """Return the mean of sqrt(d^2 + 1e-6) (Charbonnier et al., ICIP 1994)."""
    return ((sr - hr).square() + 1e-6).sqrt().mean()


def _l1_gradient(sr: Tensor, hr: Tensor) -> Tensor:
    """Return L1 plus GRADIENT_WEIGHT times L1 of the differences between neighbours, down and across."""
    difference = sr - hr
    down, across = difference.diff(dim=2).abs().mean(), difference.diff(dim=3).abs().mean()
    return difference.abs().mean() + GRADIENT_WEIGHT * (down + across)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": F.l1_loss,
    "l1_gradient": _l1_gradient,
    "charbonnier": charbonnier,
    "l2": F.mse_loss,
}
