"""The last convolutions of a network, solved for: what gradient steps still owe them has a closed form.

Where only a pixel shuffle and a sum with other pictures follow one, SR is affine in its weights, so that those of the
least squared error over some patches solve a linear system (as the readout of Huang et al., "Extreme learning machine",
Neurocomputing 2006). So are those of a convolution that it is summed with, as a learned image skip: both are solved for
at once. That is PSNR's own optimum: a short training is judged by its features then, not by how far its last layer
came, and a long one gains a little.
"""

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.tensors import in_float64

# LR and HR patches by number, (b, 3, p, p) and (b, 3, s*p, s*p) float32 in [0, 1], on the network's device.
Patches = Callable[[int], tuple[Tensor, Tensor]]

# Equations for each unknown: neighbouring pixels, and the patches of one picture, say nearly the same.
_EQUATIONS = 4096
# Added to each feature's own power: above the rounding of float32 products, far below what would bend a solution.
_RIDGE = 1e-5
# One batch in so many judges the solution of the others.
_JUDGE_EVERY = 4
# Rows at a time: they take some kilobytes each where features are many.
_ROWS = 1 << 16


@dataclass(frozen=True)
class System:
    """The normal equations of linear equations, in float64.

    Attributes:
        gram: (p, p) over the p unknowns.
        moment: (p, c) for c right sides.
        count: How many equations there are.
    """

    gram: Tensor
    moment: Tensor
    count: int

    def __add__(self, other: "System") -> "System":
        return System(self.gram + other.gram, self.moment + other.moment, self.count + other.count)

    def solution(self) -> Tensor:
        """Return the change (p, c) of the weights that leaves the least squared error."""
        power = self.gram.diagonal()
        # A feature that is silent has no power, and its weights stay.
        unit = torch.where(power > 0, power, 1.0).rsqrt()
        scaled = unit[:, None] * self.gram * unit + _RIDGE * torch.eye(len(unit), dtype=unit.dtype, device=unit.device)
        change: Tensor = unit[:, None] * torch.linalg.solve(scaled, unit[:, None] * self.moment)
        return change

    def gain(self, change: Tensor) -> float:
        """Return by how much a change (p, c) lowers the sum of these equations' squared errors."""
        return float((change * (2 * self.moment - self.gram @ change)).sum())


def solve_output(network: nn.Module, patches: Patches, batches: int) -> bool:
    """Set the last convolution of a network, and any that it is summed with, to the least squared error, in place.

    Where the solution of the other batches is no better on every fourth of them, the network stays as it was.

    Args:
        network: In eval mode.
        patches: LR and HR by number.
        batches: How many of `patches` to take at the most.

    Returns:
        Whether the network was changed.

    Raises:
        ValueError: Where `batches` is under 2, or no plain convolution is followed by moves and sums alone on each of
            them.
    """
    if batches < 2:
        raise ValueError(f"a solution and its judge take at least 2 batches, got {batches}")
    convs, pixels = last_convolutions(network, *patches(0))

    def system(number: int) -> System:
        sides = (side.split(max(1, _ROWS // pixels)) for side in patches(number))
        return functools.reduce(
            operator.add, (normal(*equations(network, convs, *part)) for part in zip(*sides, strict=True))
        )

    judge, learnt = system(0), system(1)
    for number in range(2, batches):
        if judge.count + learnt.count >= _EQUATIONS * len(judge.gram):
            break
        if number % _JUDGE_EVERY:
            learnt += system(number)
        else:
            judge += system(number)
    # Not "at least": what is not finite gains nothing.
    better = judge.gain(learnt.solution()) > 0
    if better:
        _change(convs, (judge + learnt).solution())
    return better


def normal(rows: Tensor, owed: Tensor) -> System:
    """Return the normal equations of rows (m, p) and what they owe (m, c)."""
    return System(in_float64(rows.T @ rows), in_float64(rows.T @ owed), len(rows))


def last_convolutions(network: nn.Module, lr: Tensor, hr: Tensor) -> tuple[list[nn.Conv2d], int]:
    """Find the convolution of most inputs that only moves and sums follow, and those that it is summed with.

    Args:
        network: In eval mode.
        lr: (n, 3, h, w), to run it on.
        hr: (n, 3, s*h, s*w).

    Returns:
        The convolutions, that of most inputs first, and how many pixels a picture has behind them.

    Raises:
        ValueError: Where there is none, or it is not a plain one.
    """
    # One that is not trained, as that which adds the pictures' mean back, is a move.
    trained = [
        each
        for each in network.modules()
        if isinstance(each, nn.Conv2d | nn.ConvTranspose2d) and each.weight.requires_grad
    ]
    _, owed = _owed(network, trained, lr, hr)
    moved = {conv: error for conv, error in zip(trained, owed, strict=True) if error is not None}
    if not moved:
        raise ValueError("only moves and sums follow a convolution that is solved for, and none here is followed so")
    widest = max(moved, key=_inputs)
    if not _is_plain(widest):
        raise ValueError(
            f"the last convolution to solve for is plain, dense and padded by a number of zeros, got {widest}"
        )
    summed = [conv for conv, error in moved.items() if _is_plain(conv) and _is_equal(error, moved[widest])]
    return sorted(summed, key=_inputs, reverse=True), moved[widest][0, 0].numel()


def _inputs(conv: nn.Conv2d | nn.ConvTranspose2d) -> int:
    """Return how many values an output is made of."""
    return conv.weight[0].numel()


def _is_plain(conv: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Return whether a convolution is dense, takes every pixel, and pads with a number of zeros."""
    if not isinstance(conv, nn.Conv2d) or conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        return False
    return (conv.groups, *conv.stride, *conv.dilation) == (1,) * 5


def _is_equal(error: Tensor, other: Tensor) -> bool:
    return error.shape == other.shape and bool(torch.isclose(error, other).all())


def equations(network: nn.Module, convs: Sequence[nn.Conv2d], lr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
    """Return the equations of one batch.

    Args:
        network: In eval mode.
        convs: As `last_convolutions` found them.
        lr: (n, 3, h, w).
        hr: (n, 3, s*h, s*w).

    Returns:
        Rows (m, p), one for each pixel of the convolutions' output, and what they still owe (m, c). p: the unknowns of
        one of the c output channels, the weights of one convolution after the other in their order, then the first
        bias.

    Raises:
        ValueError: Where this batch shows that something else follows them, as a clip that left the others as they are.
    """
    features, owed = _owed(network, convs, lr, hr)
    columns = []
    for conv, feature in zip(convs, features, strict=True):
        assert not isinstance(conv.padding, str)
        columns.append(F.unfold(feature, conv.kernel_size, padding=conv.padding))
    if _first_bias(convs) is not None:
        columns.append(torch.ones_like(columns[0][:, :1]))
    if owed[0] is None:
        raise ValueError("only moves and sums follow a convolution that is solved for, and here one batch is clipped")
    return _pixels_first(torch.cat(columns, dim=1)), _pixels_first(owed[0].flatten(2))


@dataclass
class _Tap:
    """A hook on a convolution: keeps its input, and its output as the start of a graph of its own."""

    feature: Tensor | None = None
    output: Tensor | None = None
    runs: int = 0

    def __call__(self, _conv: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        """Let the forward go on from a copy, which it may write into."""
        self.runs += 1
        self.feature = inputs[0].detach()
        self.output = output.detach().requires_grad_()
        return self.output.clone()


def _owed(
    network: nn.Module, convs: Sequence[nn.Module], lr: Tensor, hr: Tensor
) -> tuple[list[Tensor], list[Tensor | None]]:
    """Return what convolutions take, (n, i, h, w), and what their outputs owe, (n, c, h, w).

    Backwards through moves and sums alone, an error on SR is the same error where a convolution made it. None stands
    for one that does not run, and for one that anything else follows, as another of `convs`.
    """
    taps = [_Tap() for _ in convs]
    hooks = [conv.register_forward_hook(tap) for conv, tap in zip(convs, taps, strict=True)]
    with torch.enable_grad():
        sr = network(lr)
    for hook in hooks:
        hook.remove()
    error = hr - sr.detach()
    # What runs twice is in SR twice.
    once = [tap if tap.runs == 1 else _Tap() for tap in taps]
    outputs = [tap.output for tap in once if tap.output is not None]
    found = iter(torch.autograd.grad(sr, outputs, error, allow_unused=True) if outputs else ())
    owed = [None if tap.output is None else next(found) for tap in once]
    features = [tap.feature for tap in once if tap.feature is not None]
    exact = [feature.to(torch.promote_types(feature.dtype, torch.float32)) for feature in features]
    return exact, [each if each is not None and _is_as_large(each, error) else None for each in owed]


def _is_as_large(owed: Tensor, error: Tensor) -> bool:
    return bool(torch.isclose(owed.norm(), error.norm(), rtol=1e-3))


def _pixels_first(values: Tensor) -> Tensor:
    """Return (n, c, pixels) as (n * pixels, c)."""
    return values.transpose(1, 2).reshape(-1, values.shape[1])


def _first_bias(convs: Sequence[nn.Conv2d]) -> Tensor | None:
    """Return the bias that is solved for: a second one would say the same."""
    return next((conv.bias for conv in convs if conv.bias is not None), None)


@torch.no_grad()
def _change(convs: Sequence[nn.Conv2d], by: Tensor) -> None:
    """Add (p, c) to the weights and the first bias of convolutions, in the order of `equations`."""
    bias = _first_bias(convs)
    unknowns = [_inputs(conv) for conv in convs]
    *weights, constant = by.split([*unknowns, len(by) - sum(unknowns)])
    for conv, change in zip(convs, weights, strict=True):
        conv.weight.add_(change.T.reshape(conv.weight.shape).to(conv.weight))
    if bias is not None:
        bias.add_(constant[0].to(bias))
