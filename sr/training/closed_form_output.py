"""The last convolution of a network, solved for: what gradient steps still owe it has a closed form.

Where only a pixel shuffle and a sum with the interpolated picture follow it, SR is affine in its weights, so that those
of the least squared error over some patches solve a linear system (as the readout of Huang et al., "Extreme learning
machine", Neurocomputing 2006). That is PSNR's own optimum: a short training is judged by its features then, not by how
far its last layer came, and a long one gains a little.
"""

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
    """Set the last convolution of a network to the least squared error on patches, in place.

    Where the solution of the other batches is no better on every fourth of them, the network stays as it was.

    Args:
        network: In eval mode.
        patches: LR and HR by number.
        batches: How many of `patches` to take at the most.

    Returns:
        Whether the network was changed.

    Raises:
        ValueError: Where `batches` is under 2, the convolution is not plain, or it is followed by more than moves and
            sums.
    """
    if batches < 2:
        raise ValueError(f"a solution and its judge take at least 2 batches, got {batches}")
    conv, pixels = last_convolution(network, patches(0)[0])

    def system(number: int) -> System:
        sides = (side.split(max(1, _ROWS // pixels)) for side in patches(number))
        return functools.reduce(
            operator.add, (normal(*equations(network, conv, *part)) for part in zip(*sides, strict=True))
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
        _change(conv, (judge + learnt).solution())
    return better


def normal(rows: Tensor, owed: Tensor) -> System:
    """Return the normal equations of rows (m, p) and what they owe (m, c)."""
    return System(in_float64(rows.T @ rows), in_float64(rows.T @ owed), len(rows))


def last_convolution(network: nn.Module, lr: Tensor) -> tuple[nn.Conv2d, int]:
    """Find the convolution that runs last.

    Args:
        network: In eval mode.
        lr: (n, 3, h, w), to run it on.

    Returns:
        The convolution, and how many pixels a picture has behind it.

    Raises:
        ValueError: Where it is not a plain one.
    """
    ran: list[tuple[nn.Module, int]] = []
    hooks = [
        module.register_forward_hook(lambda conv, _inputs, output: ran.append((conv, output[0, 0].numel())))
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
    ]
    with torch.no_grad():
        network(lr)
    for hook in hooks:
        hook.remove()
    last, pixels = ran[-1] if ran else (None, 0)
    if not isinstance(last, nn.Conv2d) or (last.groups, *last.stride, *last.dilation) != (1,) * 5:
        raise ValueError(f"the last convolution to solve for is plain and dense, got {last}")
    return last, pixels


@dataclass
class _Tap:
    """A hook on a convolution: keeps its input, and its output as the start of a graph of its own."""

    feature: Tensor | None = None
    output: Tensor | None = None

    def __call__(self, _conv: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        """Let the forward go on from a copy, which it may write into."""
        self.feature = inputs[0].detach()
        self.output = output.detach().requires_grad_()
        return self.output.clone()


def equations(network: nn.Module, conv: nn.Conv2d, lr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
    """Return the equations of one batch.

    Args:
        network: In eval mode.
        conv: Its last convolution.
        lr: (n, 3, h, w).
        hr: (n, 3, s*h, s*w).

    Returns:
        Rows (m, p), one for each pixel of the convolution's output, and what they still owe (m, c). p: the unknowns of
        one of the c output channels, its weights in the order of the convolution's, then the bias.

    Raises:
        ValueError: Where more than moves and sums follow the convolution.
    """
    tap = _Tap()
    hook = conv.register_forward_hook(tap)
    with torch.enable_grad():
        sr = network(lr)
    hook.remove()
    assert tap.feature is not None
    assert tap.output is not None
    error = hr - sr.detach()
    # Backwards through moves alone, an error on SR is the same error where the convolution made it.
    (owed,) = torch.autograd.grad(sr, tap.output, error)
    if not torch.isclose(owed.norm(), error.norm(), rtol=1e-3):
        raise ValueError("only moves and sums follow a convolution that is solved for, but this network scales them")
    padding = [side for zeros in reversed(_padding_of(conv)) for side in (zeros, zeros)]
    feature = tap.feature.to(torch.promote_types(tap.feature.dtype, torch.float32))
    columns = F.unfold(F.pad(feature, padding), conv.kernel_size)
    if conv.bias is not None:
        columns = torch.cat([columns, torch.ones_like(columns[:, :1])], dim=1)
    return _pixels_first(columns), _pixels_first(owed.flatten(2))


def _padding_of(conv: nn.Conv2d) -> tuple[int, int]:
    """Return by how many zeros a convolution extends height and width; raises ValueError where it is not by zeros."""
    if conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        raise ValueError(f"a convolution to solve for pads by a number of zeros, got {conv}")
    return conv.padding[0], conv.padding[1]


def _pixels_first(values: Tensor) -> Tensor:
    """Return (n, c, pixels) as (n * pixels, c)."""
    return values.transpose(1, 2).reshape(-1, values.shape[1])


@torch.no_grad()
def _change(conv: nn.Conv2d, by: Tensor) -> None:
    """Add (p, c) to the weights and the bias of a convolution, in the order of `equations`."""
    if conv.bias is not None:
        conv.bias.add_(by[-1].to(conv.bias))
        by = by[:-1]
    conv.weight.add_(by.T.reshape(conv.weight.shape).to(conv.weight))
