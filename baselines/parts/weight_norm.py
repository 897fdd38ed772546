"""Weight norm: convolutions that train the length of each kernel apart from its direction."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WeightNormConv(nn.Conv2d):
    """A "same" convolution whose kernel is weight_g * weight_v / |weight_v|, one length per output channel.

    Source: Salimans, Kingma, "Weight Normalization", NIPS 2016.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        kernel = self.weight.detach()
        # A convolution to whoever counts or walks the network, but with two parameters in place of the kernel.
        del self.weight
        self.weight_g = nn.Parameter(lengths(kernel))
        self.weight_v = nn.Parameter(kernel)

    def kernel(self) -> Tensor:
        """Return the kernel that the two parameters stand for."""
        return self.weight_v * (self.weight_g / lengths(self.weight_v))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, h, w)."""
        return F.conv2d(x, self.kernel(), self.bias, padding=self.weight_v.shape[-1] // 2)

    def fold(self) -> nn.Conv2d:
        """Return the plain convolution that computes the same."""
        size = self.weight_v.shape[-1]
        plain = nn.Conv2d(self.in_channels, self.out_channels, size, padding=size // 2)
        plain.weight = nn.Parameter(self.kernel().detach())
        plain.bias = self.bias
        return plain


def lengths(kernel: Tensor) -> Tensor:
    """Return the Euclidean length of each output channel's kernel, (out_channels, 1, 1, 1)."""
    length: Tensor = torch.linalg.vector_norm(kernel, dim=(1, 2, 3), keepdim=True)
    return length
