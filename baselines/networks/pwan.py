"""PWAN, the entry of CET_CVLab."""

from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.attention import channel_gate
from baselines.parts.rescale import steps
from baselines.stages import Stage
from sr.scale import DEFAULT_SCALE, SCALES


class _WideBlock(nn.Module):
    """Two 3x3 convolutions with `expand_ratio` times the channels between them, beside the identity."""

    def __init__(self, num_feat: int, expand_ratio: int, *, attention: bool) -> None:
        super().__init__()
        self.widen = nn.Conv2d(num_feat, expand_ratio * num_feat, 3, padding=1)
        self.act = nn.ReLU()
        self.narrow = nn.Conv2d(expand_ratio * num_feat, num_feat, 3, padding=1)
        self.gate = channel_gate(num_feat, max(1, num_feat // 16)) if attention else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        residual: Tensor = self.narrow(self.act(self.widen(x)))
        if self.gate is not None:
            residual = residual * self.gate(residual.mean((2, 3), keepdim=True))
        return x + residual


def _step(num_feat: int, factor: int) -> nn.Sequential:
    """Return the layers that turn features (n, num_feat, h, w) into (n, num_feat, factor * h, factor * w)."""
    half = num_feat // 2
    return nn.Sequential(
        nn.Conv2d(num_feat, factor**2 * half, 3, padding=1),
        nn.PixelShuffle(factor),
        nn.Conv2d(half, num_feat, 3, padding=1),
    )


class PWAN(nn.Module):
    """Progressive wide-activation network; a reconstruction within 0.1 % of the parameters, all that was published.

    1,377,827 for the 1.378 M that the team gave. Any LR size; input range: [0, 1].

    Source: Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020; blocks: Yu, Fan,
    Yang, Xu, Wang, Huang, "Wide Activation for Efficient and Accurate Image Super-Resolution", CVPR Workshops 2018.

    Args:
        num_feat: Width, even.
        expand_ratio: How many times wider a block is inside.
        num_block: Blocks.
        attention: Whether each block has channel attention, of which the team speaks (0.13 % over).
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self,
        num_feat: int = 32,
        expand_ratio: int = 6,
        num_block: int = 12,
        *,
        attention: bool = False,
        scale: int = DEFAULT_SCALE,
    ) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.Sequential(
            *(_WideBlock(num_feat, expand_ratio, attention=attention) for _ in range(num_block))
        )
        self.upsampler = nn.Sequential(*(_step(num_feat, factor) for factor in steps(scale)))
        self.colours = nn.Conv2d(num_feat, 3, 3, padding=1)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.head(lr)
        sr: Tensor = self.colours(self.upsampler(shallow + self.blocks(shallow)))
        return sr


ENTRY = Baseline(
    network=PWAN,
    system="PWAN",
    scales=SCALES,
    channel_step=2,
    recipe=(Stage(1.0, {"loss": "charbonnier"}),),
)
