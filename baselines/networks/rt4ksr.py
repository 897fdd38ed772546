"""RT4KSR, of NTIRE 2023's real-time challenge."""

import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.networks.hcsrn import cropped
from baselines.networks.safmn import ChannelNorm
from baselines.stages import YARDSTICK
from search_spaces.wide_reparam import ExpandedResidualConv
from sr.scale import DEFAULT_SCALE, SCALES


def _normed_conv(num_feat: int, *, branched: bool) -> tuple[nn.Module, nn.Module]:
    """Return a layer norm over the channels and a 3x3 convolution, trained as residual branches where `branched`."""
    conv = ExpandedResidualConv(num_feat) if branched else nn.Conv2d(num_feat, num_feat, 3, padding=1)
    return ChannelNorm(num_feat), conv


class RT4KSR(nn.Module):
    """Normed 3x3 convolutions at half the size; counts equal those of the official code without its unused branch.

    The original's branch for high frequencies is computed but not read as published, and is left out. Its weights are
    for two and three times the size, and the function was not checked by them. Any LR size: what an odd side has too
    much is cut off. Input range of the original: [0, 1].

    Source: Zamfir, Conde, Timofte, "Towards Real-Time 4K Image Super-Resolution", CVPR Workshops 2023.

    Args:
        num_feat: Width.
        num_block: Blocks before the last one, which has no activation.
        branched: Whether it is the training form, whose residual branches fold into the deployed form.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self, num_feat: int = 24, num_block: int = 4, *, branched: bool = False, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        self.scale = scale
        # A pixel unshuffle by 2 and a 3x3 convolution of its 12 channels in one.
        self.head = nn.Conv2d(3, num_feat, 6, stride=2)
        blocks = [nn.Sequential(*_normed_conv(num_feat, branched=branched), nn.GELU()) for _ in range(num_block)]
        self.blocks = nn.Sequential(*blocks)
        self.trunk = nn.Sequential(*_normed_conv(num_feat, branched=branched))
        self.tail = nn.Conv2d(num_feat, 3 * (2 * scale) ** 2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2 * scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        # One more behind than before: an even side does not reach it, an odd one is rounded up by it.
        shallow = self.head(F.pad(lr, (2, 3, 2, 3)))
        sr: Tensor = self.shuffle(self.tail(self.trunk(self.blocks(shallow))))
        return cropped(sr, self.scale * lr.shape[2], self.scale * lr.shape[3])


ENTRY = Baseline(
    network=RT4KSR,
    system="RT4KSR",
    since="NTIRE 2023",
    scales=SCALES,
    scaled_by={"num_feat": (8, 16, 24, 32, 40, 48, 64, 80, 96, 128), "num_block": (1, 2, 4, 6, 8, 12)},
    recipe=YARDSTICK,
    training_form={"branched": True},
)
