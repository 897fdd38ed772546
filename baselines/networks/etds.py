"""ETDS, which carries the picture through its convolutions."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline, out_channels
from baselines.parts.carried_image import add_copies, add_nearest
from baselines.stages import YARDSTICK
from sr.scale import DEFAULT_SCALE, SCALES


class TwoStreamConv(nn.Module):
    """A 3x3 convolution over features and, behind them, three channels of the picture, which read no features.

    Args:
        num_feat: Channels of both together.
    """

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(num_feat - 3, num_feat - 3, 3)
        self.coupling = nn.Conv2d(3, num_feat - 3, 3)
        self.picture = nn.Conv2d(3, 3, 3)
        for conv in (self.coupling, self.picture):
            _zero(conv)
        add_copies(self.picture, 0, 0, 3)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return the folded weight (num_feat, num_feat, 3, 3) and bias (num_feat,)."""
        assert self.features.bias is not None
        assert self.coupling.bias is not None
        assert self.picture.bias is not None
        unread = self.picture.weight.new_zeros(3, self.features.in_channels, 3, 3)
        kernel = torch.cat(
            (
                torch.cat((self.features.weight, self.coupling.weight), dim=1),
                torch.cat((unread, self.picture.weight), dim=1),
            )
        )
        return kernel, torch.cat((self.features.bias + self.coupling.bias, self.picture.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        return F.conv2d(x, *self.folded(), padding=1)

    def fold(self) -> nn.Conv2d:
        """Return the single convolution that computes the same."""
        return _plain_conv(*self.folded())


class TwoStreamTail(nn.Module):
    """The sum of a 3x3 convolution over the features and one over the picture, which starts as nearest neighbour."""

    def __init__(self, num_feat: int, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.features = nn.Conv2d(num_feat - 3, 3 * scale**2, 3)
        self.picture = nn.Conv2d(3, 3 * scale**2, 3)
        _zero(self.picture)
        add_nearest(self.picture, 0)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return the folded weight (3 * scale**2, num_feat, 3, 3) and bias (3 * scale**2,)."""
        assert self.features.bias is not None
        assert self.picture.bias is not None
        return torch.cat((self.features.weight, self.picture.weight), dim=1), self.features.bias + self.picture.bias

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to (n, 3 * scale**2, h, w)."""
        return F.conv2d(x, *self.folded(), padding=1)

    def fold(self) -> nn.Conv2d:
        """Return the single convolution that computes the same."""
        return _plain_conv(*self.folded())


class ClippedTail(nn.Module):
    """The last convolution as its authors deploy it: one to 1 - s, and a 1x1 that clips s to [0, 1] by two ReLUs.

    Folds into the convolution to s; the network clips.
    """

    def __init__(self, num_feat: int, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        pixels = 3 * scale**2
        self.conv = nn.Conv2d(num_feat, pixels, 3, padding=1)
        self.clip = nn.Conv2d(pixels, pixels, 1)
        _zero(self.clip)
        with torch.no_grad():
            self.clip.weight.sub_(_one_to_one(self.clip))
            self._offset(self.clip).add_(1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to (n, 3 * scale**2, h, w) in [0, 1]."""
        return F.relu(self.clip(F.relu(self.conv(x))))

    def fold(self) -> nn.Conv2d:
        """Return the convolution whose clipped output is the same.

        Raises:
            ValueError: Where the 1x1 convolution does not clip alone.
        """
        clips = torch.equal(self.clip.weight, -_one_to_one(self.clip)) and bool((self._offset(self.clip) == 1).all())
        if not clips:
            raise ValueError("ETDS's 1x1 convolution does more than clip: there is no convolution that it folds into")
        return _plain_conv(-self.conv.weight, 1 - self._offset(self.conv))

    @staticmethod
    def _offset(conv: nn.Conv2d) -> Tensor:
        assert conv.bias is not None
        return conv.bias


class ETDS(nn.Module):
    """Plain stack of 3x3 convolutions and ReLUs; the function is that of the published weights.

    In training the last three channels are a stream of their own, which starts as the picture and ends as its
    enlargement by nearest neighbour: no skip is left to add. -S, M4C32, by default; -T, -M and -L are M5C16, M6C32 and
    M7C48. Outside of training the picture is clipped to [0, 1], as the original's 1x1 convolution does. Any LR size;
    input range of the original: [0, 1].

    Trained without its second loss, on the picture's stream alone and worth 0.05 dB on Set5 by its own ablation, and
    without its first steps, which leave that stream as it is.

    Source: Chao, Zhou, Gao, Gong, Yang, Zeng, Dehbi, "Equivalent Transformation and Dual Stream Network Construction
    for Mobile Image Super-Resolution", CVPR 2023.

    Args:
        num_feat: Width, the picture's three channels included.
        num_block: Convolutions between the first and the last.
        branched: Whether it is the training form of two streams, which folds into the deployed form.
        clip_conv: Whether it is the form of the published weights, whose last convolutions clip, and which folds too.
        scale: How many times as high and wide the picture becomes.

    Raises:
        ValueError: Where the width leaves nothing beside the picture, or both forms are asked for.
    """

    def __init__(
        self,
        num_feat: int = 32,
        num_block: int = 4,
        *,
        branched: bool = False,
        clip_conv: bool = False,
        scale: int = DEFAULT_SCALE,
    ) -> None:
        super().__init__()
        if num_feat < 4:
            raise ValueError(f"num_feat holds three channels of the picture and at least one more, got {num_feat}")
        if branched and clip_conv:
            raise ValueError("it is the training form, branched, or the published one, clip_conv; ask for one")
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        with torch.no_grad():
            for parameter in self.head.parameters():
                parameter[-3:] = 0
        add_copies(self.head, 0, num_feat - 3, 3)
        self.body = nn.ModuleList(
            TwoStreamConv(num_feat) if branched else nn.Conv2d(num_feat, num_feat, 3, padding=1)
            for _ in range(num_block)
        )
        self.tail = _tail(num_feat, scale, branched=branched, clip_conv=clip_conv)
        self.act = nn.ReLU()
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w), in [0, 1] where it is not in training mode."""
        features = self.act(self.head(lr))
        for conv in self.body:
            features = self.act(conv(features))
        sr: Tensor = self.shuffle(self.tail(features))
        # Beyond the ends a clipped value has no gradient.
        return sr if self.training else sr.clamp(0.0, 1.0)


def _tail(num_feat: int, scale: int, *, branched: bool, clip_conv: bool) -> nn.Module:
    """Return what turns features into sub-pixels."""
    if branched:
        return TwoStreamTail(num_feat, scale)
    return ClippedTail(num_feat, scale) if clip_conv else nn.Conv2d(num_feat, 3 * scale**2, 3, padding=1)


def _zero(conv: nn.Conv2d) -> None:
    """Set the kernel and the bias to zero."""
    for parameter in conv.parameters():
        nn.init.zeros_(parameter)


def _one_to_one(like: nn.Conv2d) -> Tensor:
    """Return the 1x1 kernel, shaped as that of `like`, that passes every channel on."""
    return torch.eye(like.out_channels, dtype=like.weight.dtype, device=like.weight.device)[:, :, None, None]


def _plain_conv(kernel: Tensor, bias: Tensor) -> nn.Conv2d:
    """Return the same-padded 3x3 convolution of a kernel and a bias."""
    conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1)
    conv.weight, conv.bias = nn.Parameter(kernel.detach()), nn.Parameter(bias.detach())
    return conv


def _official_config(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the size of official weights, which clip by a convolution."""
    return {
        "num_feat": out_channels(tensors, "head.weight"),
        "num_block": sum(key.startswith("body.") and key.endswith(".weight") for key in tensors),
        "clip_conv": True,
    }


ENTRY = Baseline(
    network=ETDS,
    system="ETDS",
    since="CVPR 2023",
    scales=SCALES,
    scaled_by={"num_feat": (8, 12, 16, 20, 24, 28, 32, 40, 48, 64), "num_block": (1, 2, 4, 5, 6, 7)},
    recipe=YARDSTICK,
    training_form={"branched": True},
    official_keys={
        "conv_first.": "head.",
        "backbone_convs.": "body.",
        "conv_last.": "tail.conv.",
        "conv_clip.": "tail.clip.",
    },
    official_config=_official_config,
)
