"""PlainUSR, whose blocks work on parts of the channels."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline, out_channels
from baselines.parts.attention import interpolate_to
from baselines.parts.carried_image import add_copies, add_nearest
from baselines.stages import YARDSTICK
from sr.scale import DEFAULT_SCALE, SCALES

_SLOPE = 0.05


class GatedResidualConv(nn.Module):
    """A 3x3 convolution trained as 1x1 to twice the width, gated 3x3 beside the identity, 1x1 back, plus x (RepMBConv).

    The gate is one learned factor in (0, 1) per channel, whatever the input. Between the 1x1 and the 3x3 the map is
    padded with what the 1x1 makes of zero, so that the folded kernel computes the same at the border.

    Args:
        num_feat: Channels in and out.
        mixed: Whether the first channel of the output is a 1x1 convolution of all of them, from which an attention
            behind it makes its gate.
    """

    def __init__(self, num_feat: int, *, mixed: bool) -> None:
        super().__init__()
        wide = 2 * num_feat
        self.expand = nn.Conv2d(num_feat, wide, 1)
        self.square = nn.Conv2d(wide, wide, 3)
        self.project = nn.Conv2d(wide, num_feat, 1)
        self.code = nn.Parameter(torch.full((wide,), 0.1))
        self.gate = nn.Sequential(
            nn.Linear(wide, max(1, wide // 4), bias=False), nn.SiLU(), nn.Linear(max(1, wide // 4), wide, bias=False)
        )
        self.mix = nn.Conv2d(num_feat, 1, 1) if mixed else None
        if self.mix is not None:
            assert self.mix.bias is not None
            nn.init.constant_(self.mix.weight, 1 / num_feat)
            nn.init.zeros_(self.mix.bias)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return the folded weight (num_feat, num_feat, 3, 3) and bias (num_feat,)."""
        assert self.expand.bias is not None
        assert self.square.bias is not None
        assert self.project.bias is not None
        gate = torch.sigmoid(self.gate(self.code))
        square = self.square.weight * gate[:, None, None, None] + _identity(self.square.weight)
        project = self.project.weight[:, :, 0, 0]
        kernel = torch.einsum("om,mnhw,ni->oihw", project, square, self.expand.weight[:, :, 0, 0])
        wide = square.sum((2, 3)) @ self.expand.bias + gate * self.square.bias
        kernel, bias = kernel + _identity(kernel), project @ wide + self.project.bias
        if self.mix is None:
            return kernel, bias
        assert self.mix.bias is not None
        mix = self.mix.weight[:, :, 0, 0]
        first = torch.einsum("om,mihw->oihw", mix, kernel)
        return torch.cat((first, kernel[1:])), torch.cat((mix @ bias + self.mix.bias, bias[1:]))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        return F.conv2d(x, *self.folded(), padding=1)

    def fold(self) -> nn.Conv2d:
        """Return the single convolution that computes the same."""
        kernel, bias = self.folded()
        conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1)
        conv.weight, conv.bias = nn.Parameter(kernel.detach()), nn.Parameter(bias.detach())
        return conv


def _identity(like: Tensor) -> Tensor:
    """Return the 3x3 kernel, shaped as `like`, (c, c, 3, 3), that passes its input on."""
    eye = torch.eye(like.shape[0], dtype=like.dtype, device=like.device)
    return F.pad(eye[:, :, None, None], (1, 1, 1, 1))


class _SoftPool(nn.Module):
    """The mean of 7x7 windows weighed by the exponentials of their values, every third window."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w), h and w at least 7, to (n, c, (h - 7) // 3 + 1, (w - 7) // 3 + 1)."""
        weights = x.exp()
        return F.avg_pool2d(weights * x, 7, stride=3) / F.avg_pool2d(weights, 7, stride=3)


class _ImportanceAttention(nn.Module):
    """Each value times a weight in (0, 1) from a coarse view, and times the sigmoid of its pixel's first channel (LIA).

    Args:
        num_feat: Channels that are weighed.
        importance_feat: Channels of the coarse view; 0 for one 3x3 convolution at full size instead.
    """

    def __init__(self, num_feat: int, importance_feat: int) -> None:
        super().__init__()
        if importance_feat:
            self.body = nn.Sequential(
                nn.Conv2d(num_feat, importance_feat, 1),
                _SoftPool(),
                nn.Conv2d(importance_feat, importance_feat, 3, stride=2, padding=1),
                nn.Conv2d(importance_feat, num_feat, 3, padding=1),
                nn.Sigmoid(),
            )
        else:
            self.body = nn.Sequential(nn.Conv2d(num_feat, num_feat, 3, padding=1), nn.Sigmoid())
        self.coarse = importance_feat > 0

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (n, num_feat, h, w)."""
        weights = interpolate_to(self.body(x), x) if self.coarse else self.body(x)
        return x * weights * torch.sigmoid(x[:, :1])


class _Block(nn.Module):
    """3x3 convolutions with an activation between them, then perhaps attention, without a skip."""

    def __init__(self, num_feat: int, num_conv: int, attention: nn.Module | None, *, branched: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(num_conv):
            mixed = attention is not None and index == num_conv - 1
            conv = GatedResidualConv(num_feat, mixed=mixed) if branched else nn.Conv2d(num_feat, num_feat, 3, padding=1)
            layers += [conv] if index == 0 else [nn.LeakyReLU(_SLOPE), conv]
        self.body = nn.Sequential(*layers, *([] if attention is None else [attention]))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        out: Tensor = self.body(x)
        return out


class PlainUSR(nn.Module):
    """Blocks that each work on the first channels alone, narrower to the middle; counts equal the official ones.

    Behind the features the three channels of the picture are carried along; the last convolution starts with their
    enlargement by nearest neighbour added. -U by default, -T is 32 wide; -S is 32, 3, 4, -M 48, 3, 8, 16, the base
    64, 3, 16, 16 and -L 80, 3, 16, 16, 3. The function was not checked by weights. Any LR size; with an importance map
    sides below 7 leave nothing to pool. Input range of the original: [0, 1].

    Source: Wang, Li, Wang, Liu, "PlainUSR: Chasing Faster ConvNet for Efficient Super-Resolution", ACCV 2024.

    Args:
        num_feat: Width, without the picture's channels.
        num_block: Blocks up to the middle one, mirrored behind it: 2 make three, 3 make five.
        importance_feat: Channels of the importance map of every block's attention; 0 is the form of -U and -T, where
            the middle block alone has attention, and without a map.
        narrowing: How many channels fewer each block up to the middle one works on; 0 halves them each time.
        num_conv: 3x3 convolutions of a block.
        branched: Whether it is the training form, whose gated branches fold into the deployed form.
        scale: How many times as high and wide the picture becomes.

    Raises:
        ValueError: Where the narrowing leaves the middle block no channel.
    """

    def __init__(
        self,
        num_feat: int = 16,
        num_block: int = 2,
        importance_feat: int = 0,
        narrowing: int = 0,
        num_conv: int = 2,
        *,
        branched: bool = False,
        scale: int = DEFAULT_SCALE,
    ) -> None:
        super().__init__()
        inward = [num_feat - narrowing * level if narrowing else num_feat >> level for level in range(num_block)]
        if inward[-1] < 1:
            raise ValueError(f"the {num_block} widths up to the middle block must stay over 0, got {inward}")
        self.head = nn.Conv2d(3, num_feat + 3, 3, padding=1)
        self.blocks = nn.ModuleDict()
        self.widths = [*inward, *reversed(inward[:-1])]
        for index, width in enumerate(self.widths):
            middle = index == num_block - 1
            attention = _ImportanceAttention(width, importance_feat) if middle or importance_feat else None
            # By the authors' names, which count past the middle one.
            name = "blockm" if middle else f"block{index + 1 - (index >= num_block)}"
            self.blocks[name] = _Block(width, num_conv, attention, branched=branched)
        add_copies(self.head, 0, num_feat, 3)
        tail = nn.Conv2d(num_feat + 3, 3 * scale**2, 3, padding=1)
        add_nearest(tail, num_feat)
        self.upsampler = nn.Sequential(tail, nn.PixelShuffle(scale))

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        x = self.head(lr)
        for block, width in zip(self.blocks.values(), self.widths, strict=True):
            x = torch.cat((block(x[:, :width]), x[:, width:]), dim=1)
        sr: Tensor = self.upsampler(x)
        return sr


def _official_config(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the size of official weights, which are of the deployed form."""
    num_feat = out_channels(tensors, "head.weight") - 3
    num_conv = 3 if "blocks.block1.body.4.weight" in tensors else 2
    blocks = {key.split(".")[1] for key in tensors if key.startswith("blocks.")}
    importance = tensors.get(f"blocks.block1.body.{2 * num_conv - 1}.body.0.weight")
    narrowed = num_feat - out_channels(tensors, "blocks.block2.body.0.weight")
    return {
        "num_feat": num_feat,
        "num_block": (len(blocks) + 1) // 2,
        "importance_feat": 0 if importance is None else importance.shape[0],
        "narrowing": 0 if importance is None or 2 * narrowed == num_feat else narrowed,
        "num_conv": num_conv,
    }


ENTRY = Baseline(
    network=PlainUSR,
    system="PlainUSR",
    since="ACCV 2024",
    scales=SCALES,
    # -U and -T have two widths and no importance map, those above three and one of an eighth to a quarter of the width.
    scaled_by={"num_feat": (8, 12, 16, 24, 32, 40, 48, 64, 80), "num_block": (2, 3), "importance_feat": (0, 4, 16)},
    equal_blocks=False,
    recipe=YARDSTICK,
    training_form={"branched": True},
    # By the names that the authors' code has; no file of theirs was at hand to check them against.
    official_keys={"block": "blocks.block", "tail.": "upsampler."},
    official_config=_official_config,
)
