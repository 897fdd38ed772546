"""LFN, the entry of Zhang9678."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.rescale import upsampler
from sr.scale import DEFAULT_SCALE, SCALES


class _Hourglass(nn.Module):
    """Four 3x3 convolutions that narrow in two steps and widen again, beside the identity."""

    def __init__(self, num_feat: int, mid_feat: int, narrow_feat: int) -> None:
        super().__init__()
        widths = (num_feat, mid_feat, narrow_feat, mid_feat, num_feat)
        self.convs = nn.ModuleList(
            nn.Conv2d(before, behind, 3, padding=1) for before, behind in itertools.pairwise(widths)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        features = x
        for conv in self.convs[:-1]:
            # A functional activation: the challenge's FLOPs column leaves no room for counted ones.
            features = F.leaky_relu(conv(features), 0.05)
        out: Tensor = x + self.convs[-1](features)
        return out


class CoupledLSTM(nn.Module):
    """A convolutional LSTM cell of one 1x1 convolution and three gates: what is let in is what is not kept."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * num_feat, 3 * num_feat, 1)

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next hidden and cell state, all tensors (n, num_feat, h, w)."""
        keep, show, candidate = self.gates(torch.cat((x, hidden), dim=1)).chunk(3, dim=1)
        kept = torch.sigmoid(keep)
        cell = kept * cell + (1 - kept) * torch.tanh(candidate)
        return torch.sigmoid(show) * torch.tanh(cell), cell


class LFN(nn.Module):
    """Network whose blocks' outputs a convolutional LSTM fuses in turn; a reconstruction within 0.2 % of the counts.

    Parameters 0.663 M for 0.664 M, FLOPs 48.16 G for 48.08 G, 36 convolutions of which one runs four times. The widths
    and the activations are assumed. Any LR size; input range: [0, 1].

    Source: Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020; "Using Conv-LSTM to
    Refine Features for Lightweight Image Super-Resolution Network", ICIG 2021.

    Args:
        num_feat: Width.
        mid_feat: Channels of an hourglass between its ends and its middle.
        narrow_feat: Channels in its middle.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self,
        num_feat: int = 64,
        mid_feat: int = 52,
        narrow_feat: int = 16,
        num_block: int = 4,
        *,
        scale: int = DEFAULT_SCALE,
    ) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(_Hourglass(num_feat, mid_feat, narrow_feat) for _ in range(2))) for _ in range(num_block)
        )
        self.lstm = CoupledLSTM(num_feat)
        self.fuse = nn.Conv2d(2 * num_feat, num_feat, 1)
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr)
        features, hidden, cell = shallow, torch.zeros_like(shallow), torch.zeros_like(shallow)
        for block in self.blocks:
            features = block(features)
            hidden, cell = self.lstm(features, hidden, cell)
        sr: Tensor = self.upsampler(self.fuse(torch.cat((hidden, shallow), dim=1)))
        return sr


ENTRY = Baseline(
    network=LFN,
    system="LFN",
    scales=SCALES,
    counted="convs_held",
)
