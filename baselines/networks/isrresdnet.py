"""ISRResDNet, the entry of MLP_SR."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.rescale import RGB_RANGE, enlarged
from baselines.parts.weight_norm import lengths
from sr.data.degradation import taps_before, weight_unit, weights

# How many times LR's estimated noise the first stage and the last one start out taking away; assumed.
_STRONGEST, _WEAKEST = 2.0, 1.0
# The challenge's: what is unrolled undoes how its LR was made.
_SCALE = 4
# A normal distribution's median absolute deviation, in standard deviations.
_MAD_OF_NORMAL = 0.6745


def _zero_mean(kernel: Tensor) -> Tensor:
    """Return each of the kernels along the first dimension without its mean."""
    return kernel - kernel.mean((1, 2, 3), keepdim=True)


class ZeroMeanConv(nn.Conv2d):
    """A convolution on a reflected border whose kernel is weight_g * v / |v|, v being weight_v without its mean."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size)
        kernel = _zero_mean(self.weight.detach())
        # A convolution to whoever counts or walks the network, but with two parameters in place of the kernel.
        del self.weight
        self.weight_g = nn.Parameter(lengths(kernel))
        self.weight_v = nn.Parameter(kernel)

    def kernel(self) -> Tensor:
        """Return the kernel that the two parameters stand for."""
        centred = _zero_mean(self.weight_v)
        return centred * (self.weight_g / lengths(centred))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, h, w)."""
        border = self.weight_v.shape[-1] // 2
        return F.conv2d(F.pad(x, (border, border, border, border), mode="reflect"), self.kernel(), self.bias)

    def fold(self) -> nn.Conv2d:
        """Return the plain convolution that computes the same."""
        size = self.weight_v.shape[-1]
        plain = nn.Conv2d(self.in_channels, self.out_channels, size, padding=size // 2, padding_mode="reflect")
        plain.weight = nn.Parameter(self.kernel().detach())
        plain.bias = self.bias
        return plain


class ZeroMeanDeconv(nn.ConvTranspose2d):
    """A transposed convolution that keeps the sides, its kernel as ZeroMeanConv's, one length per input channel."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        kernel = _zero_mean(self.weight.detach())
        del self.weight
        self.weight_g = nn.Parameter(lengths(kernel))
        self.weight_v = nn.Parameter(kernel)

    def kernel(self) -> Tensor:
        """Return the kernel that the two parameters stand for."""
        centred = _zero_mean(self.weight_v)
        return centred * (self.weight_g / lengths(centred))

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Map (n, in_channels, h, w) to (n, out_channels, h, w)."""
        return F.conv_transpose2d(x, self.kernel(), self.bias, padding=self.weight_v.shape[-1] // 2)

    def fold(self) -> nn.ConvTranspose2d:
        """Return the plain transposed convolution that computes the same."""
        size = self.weight_v.shape[-1]
        plain = nn.ConvTranspose2d(self.in_channels, self.out_channels, size, padding=size // 2)
        plain.weight = nn.Parameter(self.kernel().detach())
        plain.bias = self.bias
        return plain


class _PreActivationBlock(nn.Module):
    """Two 3x3 convolutions, each behind a PReLU with one slope per channel."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.act1 = nn.PReLU(num_feat)
        self.conv1 = ZeroMeanConv(num_feat, num_feat, 3)
        self.act2 = nn.PReLU(num_feat)
        self.conv2 = ZeroMeanConv(num_feat, num_feat, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape; there is no skip around the block."""
        out: Tensor = self.conv2(self.act2(self.conv1(self.act1(x))))
        return out


class ResDNet(nn.Module):
    """What one stage takes for noise: convolutions at the picture's size, cut to the noise that is allowed."""

    def __init__(self, num_feat: int, num_block: int) -> None:
        super().__init__()
        self.head = ZeroMeanConv(3, num_feat, 5)
        self.blocks = nn.ModuleList(_PreActivationBlock(num_feat) for _ in range(num_block))
        self.act = nn.PReLU(num_feat)
        self.tail = ZeroMeanDeconv(num_feat, 3, 5)

    def forward(self, picture: Tensor, allowed: Tensor) -> Tensor:
        """Return the noise of (n, 3, h, w), its standard deviation at most `allowed`, (n, 1, 1, 1)."""
        features = self.head(picture)
        for index, block in enumerate(self.blocks):
            # The first block's identity would carry the picture's own channels, not features.
            features = block(features) + features if index else block(features)
        noise: Tensor = self.tail(self.act(features))
        degrees = noise.shape[1] * noise.shape[2] * noise.shape[3] - 1
        deviation = (noise.square().sum((1, 2, 3), keepdim=True) / degrees).clamp_min(1e-12).sqrt()
        return noise * (allowed / torch.maximum(deviation, allowed))


class ISRResDNet(nn.Module):
    """Unrolled proximal gradient descent on the HR picture; a reconstruction of FLOPs, activations and convolutions.

    Those are exact; the parameters are 49,304 for a published 0.047 M, which is what 2**20 for a million makes of them.
    Each of the stages has weights of its own. Every stage goes down the gradient of the distance between LR and the
    shrunken HR, with momentum, and takes noise away.
    The noise levels are assumed: before training the first stage takes away at most twice the noise estimated from LR,
    the last one at most as much, those between in geometric steps; an LR without noise counts as one of 0.001 of 255.
    LR sides of at least 2; range inside: [0, 255], to which each stage clips.

    Source: Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020; Umer, Foresti,
    Micheloni, "Deep Iterative Residual Convolutional Network for Single Image Super-Resolution", ICPR 2020.

    Args:
        num_feat: Width inside a stage.
        num_stage: Stages.
        num_block: Residual blocks in each, of which the entry had none.
    """

    shrinking: Tensor
    wavelet: Tensor

    def __init__(self, num_feat: int = 64, num_stage: int = 5, num_block: int = 0) -> None:
        super().__init__()
        self.stages = nn.ModuleList(ResDNet(num_feat, num_block) for _ in range(num_stage))
        # Logarithms: of each stage's strength, and of the momentum of each but the first.
        self.alpha = nn.Parameter(torch.linspace(math.log(_STRONGEST), math.log(_WEAKEST), num_stage))
        self.momentum = nn.Parameter(torch.tensor([math.log(stage / (stage + 3)) for stage in range(1, num_stage)]))
        row = torch.tensor(weights(_SCALE), dtype=torch.float32) / weight_unit(_SCALE)
        self.register_buffer("shrinking", torch.outer(row, row).expand(3, 1, -1, -1).clone(), persistent=False)
        diagonal = torch.tensor([[0.5, -0.5], [-0.5, 0.5]])
        self.register_buffer("wavelet", diagonal.expand(3, 1, -1, -1).clone(), persistent=False)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w)."""
        lr = lr * RGB_RANGE
        noise = self.noise_level(lr)
        picture = previous = enlarged(lr, "bicubic", _SCALE)
        for index, stage in enumerate(self.stages):
            ahead = picture
            if index:
                ahead = picture + self.momentum[index - 1].exp() * (picture - previous)
            descended = ahead - self.data_gradient(ahead, lr)
            cleaned = descended - stage(descended, noise * self.alpha[index].exp())
            previous, picture = picture, cleaned.clamp(0.0, RGB_RANGE)
        return picture / RGB_RANGE

    def data_gradient(self, picture: Tensor, lr: Tensor) -> Tensor:
        """Return the gradient, (n, 3, 4h, 4w), of half the squared distance between shrunken `picture` and `lr`.

        Shrunken as the challenge made its LR, by MATLAB's bicubic; what the border's repetition adds is left out.
        """
        padded = F.pad(picture, (taps_before(_SCALE),) * 4, mode="replicate")
        distance = F.conv2d(padded, self.shrinking, stride=_SCALE, groups=3) - lr
        return F.conv_transpose2d(distance, self.shrinking, stride=_SCALE, padding=taps_before(_SCALE), groups=3)

    def noise_level(self, lr: Tensor) -> Tensor:
        """Estimate the standard deviation of each picture's noise, (n, 1, 1, 1), from its finest diagonal wavelets."""
        details = F.conv2d(lr, self.wavelet, stride=2, groups=3).abs().flatten(1)
        # Not zero, where nothing would be allowed and nothing learned.
        return (lower_median(details) / _MAD_OF_NORMAL).clamp_min(1e-3).view(-1, 1, 1, 1)


def lower_median(values: Tensor) -> Tensor:
    """Return the lower median of each row of (n, m), (n,), by sorting: ONNX has no median."""
    middle = (values.shape[1] - 1) // 2
    return values.sort(dim=1).values[:, middle]


ENTRY = Baseline(
    network=ISRResDNet,
    system="ISRResDNet",
    counted="with_norms",
)
