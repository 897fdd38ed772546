"""3x3 convolutions that turn and mirror with the picture, each tied over the eight symmetries of a square.

Upscaling has no up and no left: of a picture that is turned by a quarter or mirrored, the result is the same, turned or
mirrored. A network whose convolutions keep to that need not see an edge in all its positions to learn it. Features come
in eights, one for every symmetry, among which a symmetry exchanges them; where a width is a multiple of four alone, the
four that are left are one for every symmetry and its mirror image together. A kernel is the mean of what it becomes
under all eight: it trains whole, folds into a plain convolution, and costs the device nothing.

Source: Cohen, Welling, "Group Equivariant Convolutional Networks", ICML 2016 (p4m), as a form to train in.
"""

import functools
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.folding import WideConv
from search_spaces.wide_reparam import plain_conv

_SIDE = 3
_SYMMETRIES = 8
_QUARTERS = 4
# The mean of as many equal and independent values is smaller by this.
_SHRUNK = _SYMMETRIES**0.5


class SymmetricConv(nn.Conv2d):
    """A same-padded 3x3 convolution of a picture to features that turn with it.

    Args:
        out_channels: A multiple of four.
    """

    def __init__(self, out_channels: int) -> None:
        super().__init__(3, out_channels, _SIDE, padding=_SIDE // 2)

    def enlarge(self) -> None:
        """Multiply the weights, drawn as those of any convolution, so that the tied kernel is as large."""
        with torch.no_grad():
            self.weight.mul_(_SHRUNK)

    def tied(self) -> tuple[Tensor, Tensor]:
        """Return the weight (out, 3, 3, 3) and the bias (out,) that run."""
        assert self.bias is not None
        return _tied(self.weight, self.bias, of_picture=True)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) to (n, out, h, w)."""
        return F.conv2d(lr, *self.tied(), padding=_SIDE // 2)

    def fold(self) -> nn.Conv2d:
        """Return the plain convolution that computes the same."""
        return plain_conv(*self.tied())


class SymmetricConv3XC(WideConv):
    """SPAN's 3x3 convolution between features that turn with the picture: of a multiple of four."""

    def enlarge(self) -> None:
        """Multiply the weights, drawn as those of any convolution, so that the tied kernel is as large."""
        chain = (self.expand, self.square, self.project)
        with torch.no_grad():
            for conv in chain:
                conv.weight.mul_(_SHRUNK ** (1 / len(chain)))
            self.point.weight.mul_(_SHRUNK)

    def tied(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return the means of weights (..., num_feat, num_feat, 3, 3) and biases (..., num_feat) over symmetries."""
        return _tied(weight, bias, of_picture=False)


def _tied(weight: Tensor, bias: Tensor, *, of_picture: bool) -> tuple[Tensor, Tensor]:
    """Return the means of weights (..., out, in, 3, 3) and biases (..., out) over all symmetries.

    of_picture: Whether the input is a picture, whose channels no symmetry exchanges, and not features.
    """
    out, into = weight.shape[-4:-2]
    of_weight = _weight_orders(out, into, of_picture=of_picture, device=weight.device)
    return _Mean.apply(weight, of_weight), _Mean.apply(bias, _bias_orders(out, bias.device))  # type: ignore[no-untyped-call]


class _Mean(torch.autograd.Function):
    """The means of tensors over orders of their values, which form a group: so they are their own gradients too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, orders: Tensor) -> Tensor:  # noqa: ANN401 - what autograd keeps
        """Return the means, shaped as values; orders: (8, as many as one of them has)."""
        ctx.save_for_backward(orders)
        return _mean(values, orders)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        """Return the gradient of what `forward` is given."""
        (orders,) = ctx.saved_tensors
        return _mean(gradients[0], orders), None


def _mean(values: Tensor, orders: Tensor) -> Tensor:
    each = values.reshape(-1, orders.shape[1])
    return each[:, orders].mean(1).view(values.shape)


@functools.lru_cache(maxsize=64)
def _weight_orders(out: int, into: int, *, of_picture: bool, device: torch.device) -> Tensor:
    """Return, for every symmetry, which value of a weight stands where each one stood, (8, out * in * 9)."""
    taps = _tap_orders()
    entering = np.tile(np.arange(into), (_SYMMETRIES, 1)) if of_picture else feature_orders(into)
    rows = feature_orders(out)[:, :, None, None] * into + entering[:, None, :, None]
    return torch.as_tensor((rows * taps.shape[1] + taps[:, None, None, :]).reshape(_SYMMETRIES, -1), device=device)


@functools.lru_cache(maxsize=64)
def _bias_orders(out: int, device: torch.device) -> Tensor:
    """Return `feature_orders` on a device."""
    return torch.as_tensor(feature_orders(out), device=device)


def feature_orders(channels: int) -> np.ndarray:
    """Return, for every symmetry, which feature each one becomes, (8, channels).

    An eight lies in all quarters of the features alike, and so does the four that may be left: the first of every
    quarter, which a supernet takes for a narrower network, are whole eights.

    Raises:
        ValueError: Unless `channels` is a multiple of four.
    """
    if channels % 4:
        raise ValueError(f"features that turn with a picture are a multiple of four, got {channels}")
    taps = [tuple(order) for order in _tap_orders().tolist()]
    products = np.array([[taps.index(tuple(first[tap] for tap in second)) for second in taps] for first in taps])
    mirror = next(number for number, order in enumerate(taps) if order == (2, 1, 0, 5, 4, 3, 8, 7, 6))
    pairs = sorted({tuple(sorted((number, int(products[number, mirror])))) for number in range(_SYMMETRIES)})
    of_pair = {number: place for place, pair in enumerate(pairs) for number in pair}
    fours = np.array([[of_pair[int(products[number, pair[0]])] for pair in pairs] for number in range(_SYMMETRIES)])
    eights, rest = divmod(channels, _SYMMETRIES)
    quarter = channels // _QUARTERS
    orders = np.empty((_SYMMETRIES, channels), dtype=np.int64)
    for number in range(eights + bool(rest)):
        within = products if number < eights else fours
        each = np.arange(within.shape[1])
        in_quarter = within.shape[1] // _QUARTERS
        places = each // in_quarter * quarter + number * _SYMMETRIES // _QUARTERS + each % in_quarter
        orders[:, places] = places[within]
    return orders


def _tap_orders() -> np.ndarray:
    """Return, for every symmetry, where each of a kernel's nine values goes, (8, 9)."""
    square = np.arange(_SIDE**2).reshape(_SIDE, _SIDE)
    turned = [np.rot90(side, quarters) for side in (square, square.T) for quarters in range(4)]
    return np.stack([each.flatten() for each in turned])
