"""FMEN, of NTIRE 2022."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.rescale import RGB_RANGE, upsampler
from baselines.stages import L2_STAGE, Stage
from search_spaces.reparam import ConvNorm
from search_spaces.wide_reparam import ExpandedResidualConv
from sr.scale import DEFAULT_SCALE, SCALES

# Functional activations throughout: the counts given for the network leave them out.
_SLOPE = 0.1


def _residual_conv(num_feat: int, *, branched: bool) -> nn.Module:
    """Return a same-padded 3x3 convolution that keeps the width, trained apart where `branched`."""
    return ExpandedResidualConv(num_feat) if branched else nn.Conv2d(num_feat, num_feat, 3, padding=1)


class _ResidualPair(nn.Module):
    """Two 3x3 convolutions, an activation between them (ERB); its skips are inside the branched convolutions."""

    def __init__(self, num_feat: int, *, branched: bool) -> None:
        super().__init__()
        self.conv1 = _residual_conv(num_feat, branched=branched)
        self.conv2 = _residual_conv(num_feat, branched=branched)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        out: Tensor = self.conv2(F.leaky_relu(self.conv1(x), _SLOPE))
        return out


class NormedConv(nn.Module):
    """Batch norm, a 3x3 convolution, and with `norm_behind` another batch norm; folds into one convolution.

    Between norm and convolution the map is padded with what the norm of eval mode makes of zero, not with zero.
    """

    def __init__(self, in_channels: int, out_channels: int, *, norm_behind: bool = False) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        conv = nn.Conv2d(in_channels, out_channels, 3)
        self.conv = ConvNorm(conv) if norm_behind else conv

    def _of_eval_mode(self) -> tuple[Tensor, Tensor]:
        """Return the factor and the offset, each (in_channels,), that the first norm applies in eval mode."""
        assert self.norm.running_var is not None
        assert self.norm.running_mean is not None
        factor = self.norm.weight * torch.rsqrt(self.norm.running_var + self.norm.eps)
        return factor, self.norm.bias - self.norm.running_mean * factor

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_channels, h, w) to (n, out_channels, h, w)."""
        border = self._of_eval_mode()[1][:, None, None]
        out: Tensor = self.conv(F.pad(self.norm(x) - border, (1, 1, 1, 1)) + border)
        return out

    def fold(self) -> nn.Conv2d:
        """Return the single convolution that computes the same in eval mode."""
        conv = self.conv.fold() if isinstance(self.conv, ConvNorm) else self.conv
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        factor, offset = self._of_eval_mode()
        plain = nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1)
        plain.weight = nn.Parameter((conv.weight * factor[:, None, None]).detach())
        plain.bias = nn.Parameter((conv.bias + conv.weight.sum((2, 3)) @ offset).detach())
        return plain


class _HighFrequencyAttention(nn.Module):
    """Each value times a weight in (0, 1) from a narrow stack of 3x3 convolutions at full size (HFAB)."""

    def __init__(self, num_feat: int, narrow_feat: int, num_pair: int, *, branched: bool) -> None:
        super().__init__()
        if branched:
            self.squeeze: nn.Module = NormedConv(num_feat, narrow_feat)
            self.excite: nn.Module = NormedConv(narrow_feat, num_feat, norm_behind=True)
        else:
            self.squeeze = nn.Conv2d(num_feat, narrow_feat, 3, padding=1)
            self.excite = nn.Conv2d(narrow_feat, num_feat, 3, padding=1)
        self.pairs = nn.Sequential(*(_ResidualPair(narrow_feat, branched=branched) for _ in range(num_pair)))

    def forward(self, x: Tensor) -> Tensor:
        """Weigh (n, num_feat, h, w)."""
        narrow = self.pairs(F.leaky_relu(self.squeeze(x), _SLOPE))
        return x * torch.sigmoid(self.excite(F.leaky_relu(narrow, _SLOPE)))


class FMEN(nn.Module):
    """Fast and memory-efficient network; counts equal the official ones, the function was not checked by weights.

    Any LR size; input range of the original: [0, 255].

    Source: Du, Liu, Liu, Tang, Wu, Fu, "Fast and Memory-Efficient Network Towards Efficient Image Super-Resolution",
    CVPR Workshops 2022.

    Args:
        num_feat: Width.
        narrow_feat: Channels inside the attention.
        num_block: Pairs of convolutions, each with its attention.
        branched: Whether it is the training form, whose residual branches and batch norms fold into the deployed form.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self,
        num_feat: int = 50,
        narrow_feat: int = 16,
        num_block: int = 4,
        *,
        branched: bool = False,
        scale: int = DEFAULT_SCALE,
    ) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.warmup = nn.Sequential(
            nn.Conv2d(num_feat, num_feat, 3, padding=1),
            _HighFrequencyAttention(num_feat, max(1, 3 * narrow_feat // 4), 2, branched=branched),
        )
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(
                    _ResidualPair(num_feat, branched=branched),
                    _HighFrequencyAttention(num_feat, narrow_feat, 1, branched=branched),
                )
                for _ in range(num_block)
            )
        )
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr * RGB_RANGE)
        deep = self.trunk(self.blocks(self.warmup(shallow)))
        sr: Tensor = self.upsampler(shallow + deep)
        return sr / RGB_RANGE


ENTRY = Baseline(
    network=FMEN,
    system="FMEN",
    since="NTIRE 2022",
    scales=SCALES,
    recipe=(Stage(0.9, {"patch": 64}), Stage(0.1, {**L2_STAGE, "patch": 64})),
    training_form={"branched": True},
    # Of the deployed form, by the names that the authors' code has and by those that their challenge entry has for the
    # same graph; no file of either was at hand to check them against.
    official_keys={
        **{f"{pairs}.{index}.": f"blocks.{index}.0." for pairs in ("ERBs", "basic_blocks") for index in range(4)},
        **{f"{attention}.{index}.": f"blocks.{index}.1." for attention in ("HFABs", "hfabs") for index in range(4)},
        ".convs.": ".pairs.",
        ".rep_conv.": ".",
        ".excitate.": ".excite.",
        "lr_conv.": "trunk.",
        "tail.": "upsampler.",
    },
)
