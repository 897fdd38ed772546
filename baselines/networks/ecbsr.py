"""ECBSR, a plain stack of convolutions for phones."""

import itertools

from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.stages import Stage
from search_spaces.wide_reparam import EdgeOrientedConv
from sr.scale import DEFAULT_SCALE, SCALES


def _edge_conv(in_channels: int, out_channels: int, *, branched: bool) -> nn.Module:
    """Return a same-padded 3x3 convolution, trained as edge-oriented branches where `branched`."""
    if branched:
        return EdgeOrientedConv(in_channels, out_channels)
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


class ECBSR(nn.Module):
    """Stack of 3x3 convolutions and PReLUs; counts equal those of the official code on three colours.

    The original enlarges luma alone; here each colour is repeated, where the original repeats its one channel.
    Its M4C16 by default, M10C32 and M16C64 by `num_block` and `num_feat`. Any LR size; input range of the original:
    [0, 1].

    Source: Zhang, Zeng, Zhang, "Edge-oriented Convolution Block for Real-time Super Resolution on Mobile Devices", ACM
    Multimedia 2021.

    Args:
        num_feat: Width.
        num_block: Convolutions between the first and the last.
        branched: Whether it is the training form, whose edge-oriented branches fold into the deployed form.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self, num_feat: int = 16, num_block: int = 4, *, branched: bool = False, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        self.scale = scale
        widths = [3, *[num_feat] * (num_block + 1)]
        layers: list[nn.Module] = []
        for before, behind in itertools.pairwise(widths):
            layers += [_edge_conv(before, behind, branched=branched), nn.PReLU(behind)]
        self.body = nn.Sequential(*layers)
        self.tail = _edge_conv(num_feat, 3 * scale**2, branched=branched)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        sr: Tensor = self.shuffle(self.tail(self.body(lr)) + lr.repeat_interleave(self.scale**2, dim=1))
        return sr


ENTRY = Baseline(
    network=ECBSR,
    system="ECBSR",
    since="ACM Multimedia 2021",
    scales=SCALES,
    scaled_by={"num_feat": (8, 12, 16, 20, 24, 28, 32, 40, 48, 64), "num_block": (1, 2, 3, 4, 6, 8, 10, 12, 16)},
    recipe=(Stage(1.0, {"batch": 32, "patch": 64}),),
    training_form={"branched": True},
)
