"""SESR, of collapsible linear blocks."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.stages import Stage
from sr.scale import DEFAULT_SCALE, SCALES

# What the first convolution sees is centred on zero.
_MIDDLE = 0.5


class CollapsibleConv(nn.Module):
    """A convolution trained as one to `expand_feat` channels and a 1x1 back, without biases; runs as the small one.

    Args:
        in_channels: Of the input.
        out_channels: Of the output.
        kernel_size: An odd side.
        expand_feat: Channels between the two.
        residual: Whether the input is added, which needs equal widths.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, expand_feat: int, residual: bool = False
    ) -> None:
        super().__init__()
        self.expand = nn.Conv2d(in_channels, expand_feat, kernel_size, bias=False)
        self.project = nn.Conv2d(expand_feat, out_channels, 1, bias=False)
        self.border = kernel_size // 2
        self.residual = residual

    def folded(self) -> Tensor:
        """Return the folded weight (out, in, k, k)."""
        kernel = torch.einsum("om,mihw->oihw", self.project.weight[:, :, 0, 0], self.expand.weight)
        if not self.residual:
            return kernel
        identity = torch.eye(kernel.shape[0], dtype=kernel.dtype, device=kernel.device)[:, :, None, None]
        return kernel + F.pad(identity, (self.border,) * 4)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in, h, w) to (n, out, h, w)."""
        return F.conv2d(x, self.folded(), padding=self.border)

    def fold(self) -> nn.Conv2d:
        """Return the single convolution that computes the same."""
        kernel = self.folded().detach()
        conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2], padding=self.border, bias=False)
        conv.weight = nn.Parameter(kernel)
        return conv


class SESR(nn.Module):
    """Super-efficient network, in RGB; a reconstruction, as the paper's enlarges luma alone.

    Three colours go in where one did, 48 sub-pixels come out where 16 did, and each colour is repeated to be added to
    its own; layers, widths and skips are the paper's, and as in its collapsed form no convolution has a bias. The last
    clip to [0, 1] is left to whoever makes a picture of it. M5 by default; M3, M7 and M11 are as wide, XL is 32 wide
    with 11. Any LR size; input range of the original: [0, 1].

    Source: Bhardwaj, Milosavljevic, O'Neil, Gope, Matas, Chalfin, Suda, Meng, Loh, "Collapsible Linear Blocks for
    Super-Efficient Super Resolution", MLSys 2022.

    Args:
        num_feat: Width.
        num_block: 3x3 convolutions between the two 5x5 ones.
        expand_feat: Width inside the training form; the paper's is 256, and 64 for M11 and XL.
        branched: Whether it is the training form, whose blocks collapse into the deployed form.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self,
        num_feat: int = 16,
        num_block: int = 5,
        expand_feat: int = 256,
        *,
        branched: bool = False,
        scale: int = DEFAULT_SCALE,
    ) -> None:
        super().__init__()
        self.scale = scale

        def conv(in_channels: int, out_channels: int, size: int, *, residual: bool = False) -> nn.Module:
            if branched:
                return CollapsibleConv(in_channels, out_channels, size, expand_feat=expand_feat, residual=residual)
            return nn.Conv2d(in_channels, out_channels, size, padding=size // 2, bias=False)

        self.head = conv(3, num_feat, 5)
        layers: list[nn.Module] = []
        for _ in range(num_block):
            layers += [conv(num_feat, num_feat, 3, residual=True), nn.PReLU(num_feat)]
        self.body = nn.Sequential(*layers)
        self.tail = conv(num_feat, 3 * scale**2, 5)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        # Not as a bias of the first convolution: zeros are padded behind the shift.
        shallow = self.head(lr - _MIDDLE)
        features = shallow + self.body(shallow)
        sr: Tensor = self.shuffle(self.tail(features) + lr.repeat_interleave(self.scale**2, dim=1))
        return sr


ENTRY = Baseline(
    network=SESR,
    system="SESR",
    since="MLSys 2022",
    scales=SCALES,
    # M3, M5, M7, M11, and depths between and below them; -XL is the widest of theirs.
    scaled_by={"num_feat": (8, 12, 16, 20, 24, 28, 32, 40, 48, 64), "num_block": (1, 3, 5, 7, 9, 11)},
    recipe=(Stage(1.0, {"learning_rate": 2e-4, "schedule": "constant", "batch": 32, "patch": 50}),),
    training_form={"branched": True},
)
