"""XLSR, of Mobile AI 2021."""

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.stages import Stage
from sr.scale import DEFAULT_SCALE, SCALES

_GROUPS = 4


class _GroupedBlock(nn.Module):
    """A 3x3 convolution in four groups, a ReLU, and a 1x1 convolution that joins them."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(num_feat, num_feat, 3, padding=1, groups=_GROUPS)
        self.joined = nn.Conv2d(num_feat, num_feat, 1)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        out: Tensor = self.joined(self.act(self.grouped(x)))
        return out


class XLSR(nn.Module):
    """Extremely lightweight network whose sub-pixels are clipped to [0, 1]; counts equal the official ones.

    Its four heads are one convolution here, which computes the same; the authors' weights are for three times the size,
    and the function was not checked by them. Few multiply-adds but many activations: slow for its size. Any LR size;
    input range of the original: [0, 1].

    Source: Ayazoglu, "Extremely Lightweight Quantization Robust Real-Time Single-Image Super Resolution for Mobile
    Devices", CVPR Workshops 2021.

    Args:
        num_feat: Width, a multiple of 4.
        num_block: Blocks of a grouped and a 1x1 convolution.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 32, num_block: int = 3, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        side_feat = num_feat // 2
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.joined = nn.Conv2d(num_feat, num_feat, 1)
        self.blocks = nn.Sequential(*(_GroupedBlock(num_feat) for _ in range(num_block)))
        self.side = nn.Conv2d(3, side_feat, 3, padding=1)
        self.fuse = nn.Conv2d(num_feat + side_feat, num_feat, 1)
        self.tail = nn.Conv2d(num_feat, 3 * scale**2, 3, padding=1)
        self.act = nn.ReLU()
        self.shuffle = nn.PixelShuffle(scale)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                _start(module)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w) in [0, 1]."""
        features = self.blocks(self.joined(self.act(self.head(lr))))
        fused = self.act(self.fuse(torch.cat((features, self.side(lr)), dim=1)))
        sr: Tensor = self.shuffle(self.tail(fused).clamp(0.0, 1.0))
        return sr


def _start(conv: nn.Conv2d) -> None:
    """Initialise small, with biases over zero: what a clip holds at an end does not learn."""
    nn.init.kaiming_normal_(conv.weight, mode="fan_out")
    conv.weight.data.mul_(0.1**0.5)
    assert conv.bias is not None
    nn.init.constant_(conv.bias, 0.01)


ENTRY = Baseline(
    network=XLSR,
    system="XLSR",
    since="Mobile AI 2021",
    scales=SCALES,
    channel_step=_GROUPS,
    scaled_by={"num_feat": (8, 12, 16, 20, 24, 32, 40, 48, 64, 80), "num_block": (1, 2, 3, 4, 6, 8)},
    recipe=(Stage(1.0, {"loss": "charbonnier", "learning_rate": 2.5e-3, "minimum_learning_rate": 1e-4, "patch": 32}),),
)
