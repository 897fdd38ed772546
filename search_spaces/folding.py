"""The kernels of all wide convolutions of a network at once: the small products that they fold by are a few large ones.

Convolution by convolution a training step of a deep network is launching them: some forty kernels each, most of the
step on a GPU and a third of it on a CPU.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from search_spaces.wide_reparam import Conv3XC


class WideConv(Conv3XC):
    """SPAN's 3x3 convolution that a network folds together with others like it.

    Args:
        num_feat: Of input and output.
    """

    def __init__(self, num_feat: int) -> None:
        super().__init__(num_feat, num_feat)
        self._ready: tuple[Tensor, Tensor] | None = None

    def forward(self, feature: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        weight, bias = self.folded() if self._ready is None else self._ready
        return F.conv2d(feature, weight, bias, padding=1)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return the weight (num_feat, num_feat, 3, 3) and the bias (num_feat,) that run."""
        weight, bias = super().folded()
        assert bias is not None
        return self.tied(weight, bias)

    def tied(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return a folded weight (..., num_feat, num_feat, 3, 3) and bias (..., num_feat) as this kind runs them."""
        return weight, bias


@contextlib.contextmanager
def folded_together(convs: Sequence[WideConv]) -> Iterator[None]:
    """Fold all of a kind and width at once; meanwhile they run what came of it.

    Args:
        convs: Whose weights do not change meanwhile.
    """
    alike: dict[tuple[type[WideConv], torch.Size], list[WideConv]] = {}
    for conv in convs:
        alike.setdefault((type(conv), conv.square.weight.shape), []).append(conv)
    try:
        for group in alike.values():
            for conv, *ready in zip(group, *(each.unbind() for each in _folded(group)), strict=True):
                conv._ready = (ready[0], ready[1])
        yield
    finally:
        for conv in convs:
            conv._ready = None


def _folded(convs: Sequence[WideConv]) -> tuple[Tensor, Tensor]:
    """Return the weights (n, num_feat, num_feat, 3, 3) and biases (n, num_feat) of n convolutions of one shape."""

    def stacked(of: Callable[[WideConv], Tensor | None]) -> Tensor:
        return torch.stack([value for conv in convs if (value := of(conv)) is not None])

    # As under autocast a single one is folded.
    device = convs[0].square.weight.device.type
    known = torch.amp.is_autocast_available(device)
    with torch.autocast(device, enabled=False) if known else contextlib.nullcontext():
        first = stacked(lambda conv: conv.expand.weight).flatten(2)
        square = stacked(lambda conv: conv.square.weight).flatten(3)
        last = stacked(lambda conv: conv.project.weight).flatten(2)
        number, wide, mid, taps = square.shape
        # (n, out, mid, 9), then (n, out * 9, in).
        behind = (last @ square.flatten(2)).view(number, -1, mid, taps)
        weight = (behind.transpose(2, 3).flatten(1, 2) @ first).view(number, -1, taps, first.shape[2])
        weight = weight.transpose(2, 3).unflatten(3, convs[0].square.kernel_size)
        weight = weight + F.pad(stacked(lambda conv: conv.point.weight), (1, 1, 1, 1))
        into = square.sum(3) @ stacked(lambda conv: conv.expand.bias).unsqueeze(2)
        inner = last @ (into + stacked(lambda conv: conv.square.bias).view(number, wide, 1))
        outer = stacked(lambda conv: conv.project.bias) + stacked(lambda conv: conv.point.bias)
        return convs[0].tied(weight, inner.squeeze(2) + outer)
