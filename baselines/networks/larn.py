"""LARN, the entry of IPCV_IITM."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.attention import SpatialAttention, channel_gate
from baselines.parts.rescale import upsampler
from sr.errors import InputError
from sr.scale import DEFAULT_SCALE, SCALES


class _DistillationBlock(nn.Module):
    """3x3 convolutions in a row, each but the last keeping some channels and passing on the rest, then a 1x1 one."""

    def __init__(self, num_feat: int, kept: int, last: int, steps: int) -> None:
        super().__init__()
        self.kept = kept
        self.passed = num_feat - kept
        widths = [(num_feat, num_feat)] + [(self.passed, num_feat)] * (steps - 2) + [(self.passed, last)]
        self.convs = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in widths)
        self.fuse = nn.Conv2d(kept * (steps - 1) + last, num_feat, 1)
        self.act = nn.LeakyReLU(0.05)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape; the network adds the skip."""
        kept, rest = [], x
        for conv in self.convs[:-1]:
            keep, rest = self.act(conv(rest)).split((self.kept, self.passed), dim=1)
            kept.append(keep)
        kept.append(self.act(self.convs[-1](rest)))
        out: Tensor = self.fuse(torch.cat(kept, dim=1))
        return out


class _PixelGate(nn.Module):
    """Each pixel times a weight in (0, 1), the same for all channels, from a narrowing row of convolutions."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, 10, 3, padding=1)
        self.conv2 = nn.Conv2d(10, 3, 1)
        self.conv3 = nn.Conv2d(3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (n, num_feat, h, w)."""
        # Functional activations: the fit to the published FLOPs leaves these out.
        narrow = F.leaky_relu(self.conv2(F.leaky_relu(self.conv1(x), 0.05)), 0.05)
        return x * torch.sigmoid(self.conv3(narrow))


def _coarse_gate(num_feat: int) -> SpatialAttention:
    """Return the attention that weighs pixels of (n, num_feat, h, w), all channels alike, sides at least 15."""
    attention = SpatialAttention(num_feat, 4, deep=False)
    attention.conv4 = nn.Conv2d(4, 1, 1)
    return attention


class _Gates(nn.Module):
    """The two sub-networks that all gated blocks share: one weighs pixels, the other channels."""

    def __init__(self, num_feat: int, squeezed: int, spatial: nn.Module) -> None:
        super().__init__()
        self.spatial = spatial
        self.channel = channel_gate(num_feat, squeezed)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (n, num_feat, h, w)."""
        out: Tensor = self.spatial(x) * self.channel(x.mean((2, 3), keepdim=True))
        return out


@dataclass(frozen=True)
class _Variant:
    """One reading of the report: how many blocks of how many steps, and every how manieth of them is gated.

    kept, last: the channels that a step keeps and that the last one gives, as divisors of num_feat.
    """

    num_block: int
    steps: int
    kept: int
    last: int
    gate_every: int
    gates: Callable[[int], _Gates]


_VARIANTS = {
    "five_steps": _Variant(5, 5, 4, 4, 1, lambda num_feat: _Gates(num_feat, num_feat, _PixelGate(num_feat))),
    "alternating": _Variant(9, 2, 8, 1, 2, lambda num_feat: _Gates(num_feat, 4, _coarse_gate(num_feat))),
}


class LARN(nn.Module):
    """Distilling blocks behind shared spatial and channel gates; a reconstruction of low confidence.

    The report leaves the widths open, and its counts do not decide them. Input range: [0, 1].

    Source: team IPCV_IITM in Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.

    Args:
        num_feat: Width, a multiple of 4 (8 where alternating).
        variant: `five_steps` gates every block and is within 0.2 % of each published count; `alternating` gates every
            second block, as the report says, within 1.2 %, and needs LR sides of at least 15.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 64, variant: str = "five_steps", *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        if variant not in _VARIANTS:
            raise InputError(f"larn's variant is one of {', '.join(_VARIANTS)}; got {variant!r}")
        chosen = _VARIANTS[variant]
        if num_feat % chosen.kept:
            raise InputError(f"larn's num_feat must be a multiple of {chosen.kept} where {variant}, got {num_feat}")
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.ModuleList(
            _DistillationBlock(num_feat, num_feat // chosen.kept, num_feat // chosen.last, chosen.steps)
            for _ in range(chosen.num_block)
        )
        self.gates = chosen.gates(num_feat)
        self.gate_every = chosen.gate_every
        self.fuse = nn.Conv2d(chosen.num_block * num_feat, num_feat, 1)
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr)
        features, outputs = shallow, []
        for number, block in enumerate(self.blocks, start=1):
            residual = block(features)
            features = features + (residual if number % self.gate_every else self.gates(residual))
            outputs.append(features)
        sr: Tensor = self.upsampler(shallow + self.trunk(self.fuse(torch.cat(outputs, dim=1))))
        return sr


ENTRY = Baseline(
    network=LARN,
    system="LARN",
    scales=SCALES,
    channel_step=4,
)
