"""Fine-tuning that knows of the quantisation to come (Jacob et al., CVPR 2018).

While it is trained a network computes with the values that 8 bits can hold; gradients pass the rounding as if it were
not there. Afterwards it is the plain network again, with weights that lose less when it is quantised.
"""

from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sr.data.pairs import Pairs
from sr.errors import InputError
from sr.progress import Report, no_report
from sr.quantization.parts import KEEPS, Operation, part_of
from sr.training.fit import Fitted, fit
from sr.training.recipe import Recipe
from sr.training.trainer import TrainingFailedError

# Every so many batches, how much of a range the next one renews: looking at all values takes as long as rounding them.
_EVERY, _RENEWED = 10, 0.1
_LEVELS = 255
_Function = Callable[..., Any]
_Handler = Callable[[_Function, tuple[Any, ...], dict[str, Any]], Any]
_CONVOLUTIONS: frozenset[_Function] = frozenset({torch.conv2d})
_ACTIVATIONS: frozenset[_Function] = frozenset({
    F.leaky_relu, F.relu, torch.relu, F.prelu, torch.prelu, F.gelu, F.silu, F.hardswish,
})  # fmt: skip
_SUMS: frozenset[_Function] = frozenset({
    torch.add, Tensor.add, Tensor.add_, Tensor.__add__, Tensor.__radd__, Tensor.__iadd__,
})  # fmt: skip


class QuantizationAware(nn.Module):
    """Runs a network as if it were in 8 bits: (n, 3, h, w) in [0, 1] -> (n, 3, s*h, s*w).

    Rounded are the weights of convolutions, what these read and give, and the results of activations and of sums.

    Args:
        network: Deployed; trained in place by whoever trains this.
        pictures: LR pictures (1, 3, h, w) that the first ranges are read off.
        keep: What stays in float, a key of `KEEPS`.
        weight_bits: 8, or 7 where the engine takes weights of 7.
    """

    ranges: Tensor

    def __init__(
        self, network: nn.Module, pictures: Sequence[Tensor], keep: str = "nothing", *, weight_bits: int = 8
    ) -> None:
        super().__init__()
        self.network = network
        self._weight_limit = 2 ** (weight_bits - 1) - 1
        self._batches = 0
        weights = next(network.parameters())
        part = part_of(recorded(network, pictures[0].to(weights.device)))
        # Of each call that may be rounded, by its number.
        self._in_float = {name for name, each in part.items() if each in KEEPS[keep]}
        calls = sum(name.isdecimal() for name in part)
        # Of each such call the lowest and highest value read and given.
        self.register_buffer("ranges", weights.new_zeros(calls, 2, 2))
        self._read_ranges([picture.to(weights.device) for picture in pictures])

    def forward(self, lr: Tensor) -> Tensor:
        """Upscale a batch; in training mode the ranges follow it."""
        renewed = _RENEWED if self.training and self._batches % _EVERY == 0 else 0.0
        self._batches += self.training
        with _Calls(_Rounding(self.ranges, self._in_float, self._weight_limit, renewed=renewed)):
            sr: Tensor = self.network(lr)
        return sr

    @torch.no_grad()
    def _read_ranges(self, pictures: Sequence[Tensor]) -> None:
        """Widen the ranges to all values over some pictures."""
        for picture in pictures:
            seen = self.ranges.clone()
            with _Calls(_Rounding(seen, self._in_float, self._weight_limit, renewed=1.0)):
                self.network(picture)
            self.ranges[..., 0] = torch.minimum(self.ranges[..., 0], seen[..., 0])
            self.ranges[..., 1] = torch.maximum(self.ranges[..., 1], seen[..., 1])


def fine_tuned(
    network: nn.Module,
    recipe: Recipe,
    pairs: Pairs,
    pictures: Sequence[Tensor],
    device: torch.device,
    *,
    keep: str = "nothing",
    weight_bits: int = 8,
    report: Report = no_report,
) -> Fitted:
    """Train a network for its quantisation, in place.

    Args:
        network: Deployed; maps (n, 3, h, w) to (n, 3, s*h, s*w).
        recipe: In float32; distillation is from the network as it was.
        pairs: What it learns from.
        pictures: LR pictures (1, 3, h, w) in [0, 1] that the first ranges are read off.
        device: Where it is trained.
        keep: What stays in float, a key of `KEEPS`.
        weight_bits: 8, or 7 where the engine takes weights of 7.
        report: Is told of its steps.

    Returns:
        The plain network with the tuned weights, in eval mode, and what its training was.

    Raises:
        InputError: Where the loss does not stay finite or the memory does not suffice.
    """
    teacher = network if recipe.distillation else None
    aware = QuantizationAware(network.to(device), pictures, keep, weight_bits=weight_bits)
    try:
        fitted = fit(aware, recipe, pairs, device, teacher=teacher, label="fine-tuning for 8 bits", report=report)
    except TrainingFailedError as error:
        raise InputError(f"the fine-tuning failed: {error}; try a smaller --learning-rate") from error
    tuned = fitted.network
    assert isinstance(tuned, QuantizationAware)
    return Fitted(tuned.network.eval(), fitted.recipe, fitted.loss, fitted.seconds)


def recipe_of(steps: int, *, learning_rate: float, distillation: float, seed: int, patch: int = 32) -> Recipe:
    """Return the recipe of a fine-tuning: short, in float32, since bfloat16 holds no more than 8 bits itself."""
    return Recipe(
        steps=steps,
        batch=8,
        patch=patch,
        learning_rate=learning_rate,
        warmup_steps=min(50, steps // 10),
        distillation=distillation,
        precision="float32",
        seed=seed,
    )


class _Calls(TorchFunctionMode):
    """Hands every call of a function of torch that a network makes to a handler, which makes it or another one."""

    def __init__(self, handler: _Handler) -> None:
        super().__init__()
        self._handler = handler

    def __torch_function__(
        self,
        func: _Function,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever torch's functions return
        return self._handler(func, args, kwargs or {})


class _Rounding:
    """Makes one forward with what 8 bits can hold; a `_Handler`.

    Args:
        ranges: (calls, 2, 2) of what each call reads and gives, the lowest and the highest value; renewed in place.
        in_float: The numbers of the calls that are not rounded.
        weight_limit: The largest whole number that a weight is.
        renewed: How much of a range this forward renews, 0 to 1.
    """

    def __init__(self, ranges: Tensor, in_float: Set[str], weight_limit: int, *, renewed: float) -> None:
        self._ranges, self._in_float, self._weight_limit, self._renewed = ranges, in_float, weight_limit, renewed
        self._call = 0
        # What is rounded already, by its identity; held, since an identity may come back.
        self._done: dict[int, Tensor] = {}

    def __call__(self, func: _Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        """Make a call, rounded where it is one of those."""
        if not _may_be_rounded(func, args):
            return func(*args, **kwargs)
        number, self._call = self._call, self._call + 1
        if str(number) in self._in_float:
            return func(*args, **kwargs)
        if func in _CONVOLUTIONS:
            lr, weight, *rest = args
            args = (self._rounded(lr, number, 0), rounded_weight(weight, self._weight_limit), *rest)
        return self._rounded(func(*args, **kwargs), number, 1)

    def _rounded(self, values: Tensor, number: int, side: int) -> Tensor:
        """Return values at the levels of their range."""
        if self._done.get(id(values)) is values and side == 0:
            return values
        span = self._ranges[number, side]
        if self._renewed:
            low, high = values.detach().aminmax()
            span.lerp_(torch.stack((low, high)).to(span.dtype), self._renewed)
        result = rounded_activation(values, span)
        self._done[id(result)] = result
        return result


def rounded_activation(values: Tensor, span: Tensor) -> Tensor:
    """Return values at 256 evenly spaced levels from span[0] to span[1], zero among them; gradients pass inside."""
    low, high = span[0].clamp(max=0.0), span[1].clamp(min=0.0)
    scale = ((high - low) / _LEVELS).clamp(min=torch.finfo(torch.float32).eps)
    zero_point = (-low / scale).round().to(torch.int32)
    return torch.fake_quantize_per_tensor_affine(values, scale, zero_point, 0, _LEVELS)


def rounded_weight(weight: Tensor, limit: int) -> Tensor:
    """Return the weights (out, in, k, k) of a convolution at whole multiples, up to `limit`, of a scale per filter."""
    scale = weight.detach().abs().amax((1, 2, 3)).clamp(min=torch.finfo(torch.float32).eps) / limit
    zero_points = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero_points, 0, -limit, limit)


@torch.no_grad()
def recorded(network: nn.Module, lr: Tensor) -> list[Operation]:
    """Return what a network does with a picture, call by call; those that may be rounded have numbers as names."""
    found: list[Operation] = []
    # The name of each tensor's value now, by its identity; all are held, since an identity may come back.
    names: dict[int, str] = {}
    held: list[Tensor] = [lr]

    def record(func: _Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
        read = tuple(names.get(id(tensor), "") for tensor in _tensors((args, tuple(kwargs.values()))))
        may_be = _may_be_rounded(func, args)
        result = func(*args, **kwargs)
        number = sum(operation.name.isdecimal() for operation in found)
        name = str(number) if may_be else f"other {len(found)}"
        given = list(_tensors((result,)))
        held.extend(given)
        names.update({id(tensor): f"{name}, {index}" for index, tensor in enumerate(given)})
        written = tuple(names[id(tensor)] for tensor in given)
        found.append(Operation(name, func in _CONVOLUTIONS, read, written))
        return result

    with _Calls(record):
        network(lr)
    return found


def _may_be_rounded(func: _Function, args: tuple[Any, ...]) -> bool:
    """Return whether a call is one that engines make in 8 bits: on feature maps, not on numbers about them."""
    if func in _SUMS:
        return len(args) == 2 and all(isinstance(each, Tensor) and each.dim() == 4 for each in args)
    return func in _CONVOLUTIONS or func in _ACTIVATIONS


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    """Yield the tensors among values, in lists and tuples too."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
