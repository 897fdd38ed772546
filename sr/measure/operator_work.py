"""What the operators of a network have to do, for predicting how long they take: arithmetic, and memory moved."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_CONVOLUTION = torch.ops.aten.convolution.default

Kind = Literal["spatial", "pointwise", "grouped", "elementwise"]


@dataclass(frozen=True)
class Operator:
    """One call of an operator that computes or moves something; views do neither.

    Attributes:
        kind: A convolution whose kernel is larger than one pixel, one of 1x1, one in groups, or anything else.
        pixels: Positions of the map that it writes, over the batch.
        out_channels: Elements that it writes for each of them.
        in_channels: Of a convolution: channels that each output is made of, those of its group.
        taps: Of a convolution: elements of the kernel for each of those.
        read: Elements that it reads, without weights.
    """

    kind: Kind
    pixels: int
    out_channels: int
    in_channels: int = 0
    taps: int = 0
    read: int = 0

    @property
    def written(self) -> int:
        """Elements that it writes."""
        return self.pixels * self.out_channels

    def multi_adds(self, channel_step: int = 1) -> int:
        """Return the multiply-adds of a convolution by an engine that computes channels in steps, 0 of others.

        In groups it is the channels of all groups that are computed side by side. Fewer input channels than a step, as
        in a network's first convolution, are not filled up.
        """
        out, read = _filled_up(self.out_channels, channel_step), self.in_channels
        if self.kind != "grouped" and read >= channel_step:
            read = _filled_up(read, channel_step)
        return self.pixels * out * read * self.taps

    def is_between(self, channel_step: int) -> bool:
        """Return whether a convolution's channels are no whole steps, for which engines leave their layout."""
        read = 0 if self.kind == "grouped" or self.in_channels < channel_step else self.in_channels
        return (
            self.kind != "elementwise"
            and self.pixels > 1
            and bool(self.out_channels % channel_step or read % channel_step)
        )


def operators_of(network: nn.Module, *inputs: Tensor | list[Tensor]) -> Counter[Operator]:
    """Return the operators of one forward, each with how often it is called; nothing is computed.

    Args:
        network: In the form in which it is run; moved to the meta device.
        inputs: What it is given, on the meta device.
    """
    weightless = network.to("meta")
    with torch.no_grad(), _Listening() as heard:
        weightless(*inputs)
    operators: Counter[Operator] = heard.operators
    return operators


class _Listening(TorchDispatchMode):
    """Writes down every operator that is called while it is active."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operators: Counter[Operator] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        result = func(*args, **(kwargs or {}))
        if not _is_view(func):
            written = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
            read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            self.operators.update(_operator(func, tensor, args, read) for tensor in written)
        return result


def _filled_up(channels: int, step: int) -> int:
    """Return the next multiple of a step."""
    return -(-channels // step) * step


def _is_view(func: Any) -> bool:  # noqa: ANN401 - torch's operator
    """Return whether an operator only looks at its input in another way."""
    returned = [each.alias_info for each in func._schema.returns]
    return bool(returned) and all(alias is not None and not alias.is_write for alias in returned)


def _operator(func: Any, written: Tensor, args: Sequence[Any], read: Sequence[Tensor]) -> Operator:  # noqa: ANN401
    """Return an operator by what it wrote, what it was called with, and the tensors among that."""
    pixels, channels = _split(written)
    if func is not _CONVOLUTION:
        return Operator("elementwise", pixels, channels, read=sum(tensor.numel() for tensor in read))
    weight, groups = args[1], args[8]
    # A transposed convolution's weight begins with what it reads.
    in_channels = weight.shape[0] // groups if args[6] else weight.shape[1]
    taps = weight.shape[2:].numel()
    kind: Kind = "grouped" if groups > 1 else "spatial" if taps > 1 else "pointwise"
    return Operator(kind, pixels, channels, in_channels, taps, args[0].numel())


def _split(tensor: Tensor) -> tuple[int, int]:
    """Return the positions of a map (n, c, h, w) and its channels; of another tensor its elements and 1."""
    if tensor.dim() != 4:
        return tensor.numel(), 1
    batch, channels, height, width = tensor.shape
    return batch * height * width, channels
