"""AMAF-Net, the entry of Summer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.rescale import mean_colour
from baselines.parts.weight_norm import WeightNormConv
from baselines.stages import HALVED, Stage
from sr.scale import DEFAULT_SCALE, SCALES

_VARIANTS = ("A", "B")


class _AuxiliaryBlock(nn.Module):
    """Two convolutions with many channels between them, beside the identity and a fusion of all earlier features.

    body, fusion: sides of the kernels. With `rectified` the fused features go through a ReLU that counts and the wide
    ones through one that does not; otherwise the wide ones alone have a ReLU, and it counts.
    """

    def __init__(
        self,
        num_feat: int,
        wide_feat: int,
        num_state: int,
        *,
        body: int,
        fusion: int,
        rectified: bool,
        scale: int,
    ) -> None:
        super().__init__()
        self.widen = WeightNormConv(num_feat, wide_feat, body)
        self.narrow = WeightNormConv(wide_feat, num_feat, body)
        self.fusion = nn.Conv2d(num_state * num_feat, num_feat, fusion, padding=fusion // 2, bias=False)
        self.to_picture = WeightNormConv(num_feat, 3 * scale**2, 1)
        # The weights of the identity, the body, the fusion, and of the block's share in the picture.
        self.scales = nn.Parameter(torch.ones(4))
        self.act = nn.ReLU()
        self.rectified = rectified

    def forward(self, states: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the next features and what they add to the picture before its shuffle, (n, 3 * scale**2, h, w).

        states: the features before it, each (n, num_feat, h, w), the nearest last.
        """
        wide, fused = self.widen(states[-1]), self.fusion(torch.cat(states, dim=1))
        if self.rectified:
            wide, fused = F.relu(wide), self.act(fused)
        else:
            wide = self.act(wide)
        # Attention without convolutions: the counts have no room for any.
        fused = fused * torch.sigmoid(fused.mean((2, 3), keepdim=True))
        features = self.scales[0] * states[-1] + self.scales[1] * self.narrow(wide) + self.scales[2] * fused
        return features, self.scales[3] * self.to_picture(features)


class AMAFNet(nn.Module):
    """Attentive multi-scale auxiliary features network; a reconstruction with exact counts, weight norm not folded.

    The attention is assumed: a gate from each channel's mean, without parameters. Any LR size. Input range: [0, 1],
    mean colour subtracted, times 2.

    Source: Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020; Wang, Wang, Zhao,
    Yan, Fan, Chen, "Lightweight Single-Image Super-Resolution Network with Attentive Auxiliary Feature Learning",
    ACCV 2020.

    Args:
        num_feat: Channels of the features.
        wide_feat: Channels inside a block.
        num_block: Blocks.
        variant: B has 3x3 bodies and fusions but 1x1 in the last two blocks, as the report says, and a 5x5 skip; A has
            3x3 bodies and 1x1 fusions in all blocks, and a 3x3 skip; its counts are as exact.
        scale: How many times as high and wide the picture becomes.
    """

    mean: Tensor

    def __init__(
        self,
        num_feat: int = 24,
        wide_feat: int = 128,
        num_block: int = 8,
        variant: str = "B",
        *,
        scale: int = DEFAULT_SCALE,
    ) -> None:
        super().__init__()
        if variant not in _VARIANTS:
            raise ValueError(f"the variant is one of {', '.join(_VARIANTS)}, got {variant!r}")
        late = variant == "B"
        sizes = [(1, 1) if late and index >= num_block - 2 else (3, 3 if late else 1) for index in range(num_block)]
        self.head = WeightNormConv(3, num_feat, 3)
        self.blocks = nn.ModuleList(
            _AuxiliaryBlock(num_feat, wide_feat, index + 1, body=body, fusion=fusion, rectified=late, scale=scale)
            for index, (body, fusion) in enumerate(sizes)
        )
        self.tail = WeightNormConv(num_feat, 3 * scale**2, 3)
        self.skip = WeightNormConv(3, 3 * scale**2, 5 if late else 3)
        self.scales = nn.Parameter(torch.ones(2))
        self.shuffle = nn.PixelShuffle(scale)
        self.register_buffer("mean", mean_colour(), persistent=False)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        normalised = 2 * (lr - self.mean)
        states = [self.head(normalised)]
        colours = self.scales[0] * self.skip(normalised)
        for block in self.blocks:
            features, share = block(states)
            states.append(features)
            colours = colours + share
        sr: Tensor = self.shuffle(colours + self.scales[1] * self.tail(states[-1]))
        return sr / 2 + self.mean


ENTRY = Baseline(
    network=AMAFNet,
    system="AMAF-Net",
    scales=SCALES,
    counted="with_norms",
    recipe=(Stage(1.0, {**HALVED, "learning_rate": 1e-3}),),
)
