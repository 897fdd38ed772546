"""Dilut-Net, the entry of UESTC-MediaLab."""

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.stages import Stage
from search_spaces.reparam import DilutedConv
from sr.errors import InputError
from sr.scale import DEFAULT_SCALE, SCALES


class _Unit(nn.Module):
    """A 3x3 convolution in two groups to twice the channels wanted, PReLU, and a 1x1 convolution to these."""

    def __init__(self, in_channels: int, out_channels: int, bases: int) -> None:
        super().__init__()
        self.expand = _conv(in_channels, 2 * out_channels, 3, bases, groups=2)
        self.act = nn.PReLU()
        self.project = _conv(2 * out_channels, out_channels, 1, bases)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, h, w)."""
        out: Tensor = self.project(self.act(self.expand(x)))
        return out


class _DistillationBlock(nn.Module):
    """IMDN's block of four units for its four convolutions; the network adds what bypasses it."""

    def __init__(self, num_feat: int, bases: int) -> None:
        super().__init__()
        # Three eighths, even as the groups of two need it.
        self.kept = max(2, 2 * (3 * num_feat // 16))
        self.passed = num_feat - self.kept
        self.u1 = _Unit(num_feat, num_feat, bases)
        self.u2 = _Unit(self.passed, num_feat, bases)
        self.u3 = _Unit(self.passed, num_feat, bases)
        self.u4 = _Unit(self.passed, self.kept, bases)
        self.fuse = _conv(4 * self.kept, num_feat, 1, bases)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        kept, rest = [], x
        for unit in (self.u1, self.u2, self.u3):
            keep, rest = unit(rest).split((self.kept, self.passed), dim=1)
            kept.append(keep)
        out: Tensor = self.fuse(torch.cat((*kept, self.u4(rest)), dim=1))
        return out


class DilutNet(nn.Module):
    """IMDN of grouped units with learned skips between all blocks; a reconstruction within 0.6 % of each count.

    No code is public, and no layout of natural widths meets all four published counts. Input range: [0, 1].

    Source: team UESTC-MediaLab in Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops
    2020.

    Args:
        num_feat: Width, a multiple of 4.
        num_block: Distilling blocks.
        bases: 1 is the deployed form; more is the training form, in which every kernel is a sum of so many and `grow`
            begins the next stage.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 48, num_block: int = 6, bases: int = 1, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.head = _conv(3, num_feat, 3, bases)
        self.blocks = nn.ModuleList(_DistillationBlock(num_feat, bases) for _ in range(num_block))
        self.skips = nn.ParameterList(_initial_skips(count) for count in range(1, num_block + 1))
        self.trunk = _conv(num_feat, num_feat, 3, bases)
        self.upsampler = nn.Sequential(_conv(num_feat, 3 * scale**2, 3, bases), nn.PixelShuffle(scale))

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        outputs = [self.head(lr)]
        for block, skips in zip(self.blocks, self.skips, strict=True):
            skipped = [share * earlier for share, earlier in zip(skips, outputs, strict=True)]
            outputs.append(sum(skipped, block(outputs[-1])))
        sr: Tensor = self.upsampler(outputs[0] + self.trunk(outputs[-1]))
        return sr

    def grow(self, count: int) -> None:
        """Add `count` random bases to every convolution, all shares equal again; InputError in the deployed form.

        The parameters are new ones: the optimiser must be made anew.
        """
        diluted = [module for module in self.modules() if isinstance(module, DilutedConv)]
        if not diluted:
            raise InputError("dilutnet grows in its training form alone, got bases 1; build it with bases=3")
        for each in diluted:
            each.grow(count)


def _conv(in_channels: int, out_channels: int, kernel_size: int, bases: int, groups: int = 1) -> nn.Module:
    """Return a same-padded convolution, diluted where it has more than one base."""
    if bases > 1:
        return DilutedConv(in_channels, out_channels, kernel_size, bases=bases, groups=groups)
    return nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, groups=groups)


def _initial_skips(count: int) -> nn.Parameter:
    """Return the shares of `count` earlier outputs: the last whole, as IMDN has it, the others nothing."""
    shares = torch.zeros(count)
    shares[-1] = 1
    return nn.Parameter(shares)


ENTRY = Baseline(
    network=DilutNet,
    system="Dilut-Net",
    scales=SCALES,
    channel_step=4,
    recipe=(
        Stage(0.5),
        Stage(0.3, {"learning_rate": 2.5e-4}, "grow"),
        Stage(0.2, {"learning_rate": 1e-4}, "grow"),
    ),
    training_form={"bases": 3},
)
