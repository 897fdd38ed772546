"""SPSR, the entry of H-ZnCa."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.rescale import enlarged, upsampler
from sr.scale import DEFAULT_SCALE, SCALES

_NUM_DECODED = 3


class _SparseCoding(nn.Module):
    """A prior by unrolled iterative shrinkage: one shared 3x3 convolution, a learned threshold per step and channel."""

    def __init__(self, num_feat: int, num_step: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.thresholds = nn.Parameter(torch.full((num_step, num_feat, 1, 1), 0.01))
        self.decode = nn.Conv2d(num_feat, 3, 3, padding=1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the code of (n, num_feat, h, w), same shape, and what its last steps mean in colours, (n, 3, h, w)."""
        code, codes = torch.zeros_like(features), []
        for threshold in self.thresholds:
            code = soft_threshold(features + self.mix(code), threshold)
            codes.append(code)
        last = codes[-_NUM_DECODED:]
        colours = [self.decode(each) for each in last]
        return code, torch.stack(colours).mean(0)


def soft_threshold(x: Tensor, threshold: Tensor) -> Tensor:
    """Move `x` towards zero by `threshold`, what is nearer to zero becoming zero; shapes as broadcasting has them."""
    return F.relu(x - threshold) - F.relu(-x - threshold)


class _FeatureEmbedding(nn.Module):
    """Features scaled and shifted per pixel by the prior, then two 3x3 and a 1x1 convolution, beside the identity."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.gain = nn.Sequential(nn.Conv2d(num_feat, num_feat, 1), nn.ReLU(), nn.Conv2d(num_feat, num_feat, 1))
        self.shift = nn.Sequential(nn.Conv2d(num_feat, num_feat, 1), nn.ReLU(), nn.Conv2d(num_feat, num_feat, 1))
        self.convs = nn.Sequential(
            nn.Conv2d(num_feat, num_feat, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(num_feat, num_feat, 3, padding=1),
            nn.Conv2d(num_feat, num_feat, 1),
        )

    def forward(self, x: Tensor, prior: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) and a prior of the same shape to that shape."""
        out: Tensor = x + self.convs(x * (1 + self.gain(prior)) + self.shift(prior))
        return out


class _DilatedThirds(nn.Module):
    """Each third of the channels through a 3x3 convolution of dilation 1, 2 or 3, then a 1x1, beside the identity."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        third = num_feat // 3
        self.convs = nn.ModuleList(nn.Conv2d(third, third, 3, padding=rate, dilation=rate) for rate in (1, 2, 3))
        self.act = nn.ReLU()
        self.fuse = nn.Conv2d(3 * third, num_feat, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        thirds = [conv(part) for conv, part in zip(self.convs, x.chunk(3, dim=1), strict=True)]
        out: Tensor = x + self.fuse(self.act(torch.cat(thirds, dim=1)))
        return out


class SPSR(nn.Module):
    """Super-resolution from a sparse prior; inspired by the report, which names the parts and no layer.

    Convolutions and activations equal the published ones, parameters are 0.358 M for 0.364 M, FLOPs 31.66 G for
    32.01 G. Any LR size; input range: [0, 1].

    Source: Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.

    Args:
        num_feat: Width, a multiple of 3.
        num_step: Steps of the sparse coding.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self, num_feat: int = 48, num_step: int = 7, num_block: int = 5, *, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.prior = _SparseCoding(num_feat, num_step)
        self.embeddings = nn.ModuleList(_FeatureEmbedding(num_feat) for _ in range(num_block))
        self.extractions = nn.ModuleList(_DilatedThirds(num_feat) for _ in range(num_block))
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr)
        code, colours = self.prior(shallow)
        features = shallow
        for embed, extract in zip(self.embeddings, self.extractions, strict=True):
            features = extract(embed(features, code))
        residual: Tensor = self.upsampler(shallow + features)
        return enlarged(lr + colours, "bilinear", self.scale) + residual


ENTRY = Baseline(
    network=SPSR,
    system="SPSR",
    scales=SCALES,
    channel_step=3,
)
