"""FSRCNN, the first network that enlarged at its end."""

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline, out_channels
from baselines.stages import YARDSTICK
from sr.scale import DEFAULT_SCALE, SCALES

_SIDE = 9


class TransposedTail(nn.Module):
    """The transposed 9x9 convolution that makes the picture; folds into a convolution and a pixel shuffle."""

    def __init__(self, num_feat: int, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(num_feat, 3, _SIDE, stride=scale, padding=_SIDE // 2, output_padding=scale - 1)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to (n, 3, scale * h, scale * w)."""
        sr: Tensor = self.conv(x)
        return sr

    def fold(self) -> nn.Sequential:
        """Return the convolution and the shuffle that compute the same.

        A sub-pixel r of 0 to scale - 1 reads the LR pixels at u from its own by the taps 4 - scale * u + r; of the
        square of LR pixels that any of them reads, those whose taps lie beyond the 9x9 have zeros in its kernel.
        """
        assert self.conv.bias is not None
        before, behind = _reach(self.scale)
        side = (before + behind + 1) * self.scale
        # Zeros before the first tap, so that the taps fall into runs of one LR pixel each.
        missing = -(_SIDE // 2) % self.scale
        around = (missing, side - _SIDE - missing) * 2
        taps = F.pad(self.conv.weight.detach(), around)
        # By input channel, colour, and for rows and columns each: -u, turned round to u, and the sub-pixel.
        phases = taps.unflatten(3, (-1, self.scale)).unflatten(2, (-1, self.scale)).flip(2, 4)
        folded = _folded_tail(self.conv.in_channels, self.scale)
        conv = folded[-2]
        conv.weight = nn.Parameter(phases.permute(1, 3, 5, 0, 2, 4).flatten(0, 2).contiguous())
        conv.bias = nn.Parameter(self.conv.bias.detach().repeat_interleave(self.scale**2))
        return folded


class _UnevenBorder(nn.Module):
    """Zeros around a map, of other widths before it than behind it, which no convolution of torch adds."""

    def __init__(self, before: int, behind: int) -> None:
        super().__init__()
        self.widths = (before, behind, before, behind)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, c, before + h + behind, before + w + behind)."""
        return F.pad(x, self.widths)


def _reach(scale: int) -> tuple[int, int]:
    """Return how many LR pixels before and behind its own the sub-pixels of one read through the transposed kernel."""
    half = _SIDE // 2
    return half // scale, (half + scale - 1) // scale


def _folded_tail(num_feat: int, scale: int) -> nn.Sequential:
    """Return the convolution and the shuffle of the deployed form: 5x5 at x2, at x3 4x4 and not centred, 3x3 at x4."""
    before, behind = _reach(scale)
    centred = before == behind
    conv = nn.Conv2d(num_feat, 3 * scale**2, before + behind + 1, padding=before if centred else 0)
    padding = () if centred else (_UnevenBorder(before, behind),)
    return nn.Sequential(*padding, conv, nn.PixelShuffle(scale))


class FSRCNN(nn.Module):
    """Narrow 3x3 convolutions between 1x1 ones; the function is that of the weights which ETDS's authors published.

    The paper's enlarges luma alone; this is their RGB form. Its last convolution is transposed, which folds into an
    ordinary one and a pixel shuffle, at x4 3x3 with 1.43 times the multiply-adds in all. The paper's FSRCNN-s
    is 32, 5, 1. Any LR size; input range of the original: [0, 1].

    Source: Dong, Loy, Tang, "Accelerating the Super-Resolution Convolutional Neural Network", ECCV 2016; in RGB: Chao,
    Zhou, Gao, Gong, Yang, Zeng, Dehbi, "Equivalent Transformation and Dual Stream Network Construction for Mobile Image
    Super-Resolution", CVPR 2023.

    Args:
        num_feat: Width (the paper's d).
        mid_feat: Channels between the 1x1 convolutions (s).
        num_block: 3x3 convolutions between them (m).
        transposed: Whether it is the training form, which ends in the transposed convolution.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self,
        num_feat: int = 56,
        mid_feat: int = 12,
        num_block: int = 4,
        *,
        transposed: bool = False,
        scale: int = DEFAULT_SCALE,
    ) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, num_feat, 5, padding=2), nn.PReLU(num_feat))
        layers: list[nn.Module] = [nn.Conv2d(num_feat, mid_feat, 1), nn.PReLU(mid_feat)]
        for _ in range(num_block):
            layers += [nn.Conv2d(mid_feat, mid_feat, 3, padding=1), nn.PReLU(mid_feat)]
        self.body = nn.Sequential(*layers, nn.Conv2d(mid_feat, num_feat, 1), nn.PReLU(num_feat))
        self.tail = TransposedTail(num_feat, scale) if transposed else _folded_tail(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        sr: Tensor = self.tail(self.body(self.head(lr)))
        return sr


def _official_config(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the size of official weights, which are of the training form."""
    convs = [key for key, tensor in tensors.items() if key.startswith("body.") and tensor.dim() == 4]
    return {
        "num_feat": out_channels(tensors, "head.0.weight"),
        "mid_feat": out_channels(tensors, "body.0.weight"),
        "num_block": len(convs) - 2,
        "transposed": True,
    }


ENTRY = Baseline(
    network=FSRCNN,
    system="FSRCNN",
    since="ECCV 2016",
    scales=SCALES,
    scaled_by={"num_feat": (16, 32, 56, 80, 112), "mid_feat": (8, 12, 20, 32), "num_block": (1, 4, 8)},
    recipe=YARDSTICK,
    training_form={"transposed": True},
    official_keys={"first_part.": "head.", "mid_part.": "body.", "last_part.": "tail.conv."},
    official_config=_official_config,
)
