"""DISP, an entry of NTIRE 2026."""

from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.rescale import upsampler
from search_spaces.wide_reparam import conv3xc
from sr.scale import DEFAULT_SCALE, SCALES


class _PlainBlock(nn.Module):
    """Four 3x3 convolutions, each activated, beside the identity; no attention."""

    def __init__(self, num_feat: int, *, branched: bool) -> None:
        super().__init__()
        self.c1_r = conv3xc(num_feat, num_feat, branched=branched)
        self.c2_r = conv3xc(num_feat, num_feat, branched=branched)
        self.c3_r = conv3xc(num_feat, num_feat, branched=branched)
        self.c4_r = conv3xc(num_feat, num_feat, branched=branched)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        features = x
        for conv in (self.c1_r, self.c2_r, self.c3_r, self.c4_r):
            features = self.act(conv(features))
        return x + features


class DISP(nn.Module):
    """Plain residual network; function and counts equal the official ones.

    Any LR size; input range of the original: [0, 1].

    Source: team 18 of the NTIRE 2026 challenge on efficient super-resolution, CVPR Workshops 2026 (arXiv 2604.03198).

    Args:
        num_feat: Width.
        num_block: Plain blocks.
        branched: Whether it is the training form, as SPAN's, which folds into the deployed form.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self, num_feat: int = 32, num_block: int = 4, *, branched: bool = False, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        self.head = conv3xc(3, num_feat, branched=branched)
        self.blocks = nn.Sequential(*(_PlainBlock(num_feat, branched=branched) for _ in range(num_block)))
        self.trunk = nn.Conv2d(num_feat, num_feat, 1)
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr)
        sr: Tensor = self.upsampler(shallow + self.trunk(self.blocks(shallow)))
        return sr


ENTRY = Baseline(
    network=DISP,
    system="DISP",
    since="NTIRE 2026",
    scales=SCALES,
    scaled_by={"num_feat": (8, 12, 16, 20, 24, 28, 32, 40, 48), "num_block": (1, 2, 3, 4, 6)},
    training_form={"branched": True},
    official_keys={
        "conv_1.": "head.",
        "conv_2.": "trunk.",
        "eval_conv.": "",
        "c3_r.": "c4_r.",
        "_extern_conv_block.0.": "c3_r.",
    },
)
