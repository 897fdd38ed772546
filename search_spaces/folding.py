"""The kernels of all wide convolutions of a network at once: the small products that they fold by are a few large ones.

Convolution by convolution a training step of a deep network is launching them: some forty kernels each, most of the
step on a GPU and a third of it on a CPU.
"""

import contextlib
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from search_spaces.wide_reparam import Conv3XC, fold_conv3xc


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
    # For each part those of all convolutions.
    parts = list(zip(*(conv.parts() for conv in convs), strict=True))
    weights = [torch.stack([conv.weight for conv in each]) for each in parts]
    biases = [torch.stack([conv.bias for conv in each if conv.bias is not None]) for each in parts]
    weight, bias = fold_conv3xc(weights, biases)
    assert bias is not None
    return convs[0].tied(weight, bias)
