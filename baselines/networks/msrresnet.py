"""MSRResNet, the challenge's baseline."""

import torch.nn.functional as F
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.initialisation import start_small
from baselines.parts.rescale import enlarged, steps
from baselines.stages import HALVED, Stage
from sr.scale import DEFAULT_SCALE, SCALES


class _ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, without batch norm."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        # A functional activation: the challenge's FLOPs column, 166.36 G, leaves these out.
        out: Tensor = x + self.conv2(F.relu(self.conv1(x)))
        return out


class MSRResNet(nn.Module):
    """Residual network whose PSNR the challenge's entries had to keep; function and counts equal the official ones.

    Input range of the original: [0, 1].

    Source: the baseline of Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020;
    SRResNet (Ledig et al., CVPR 2017) in the form of Wang et al., "ESRGAN", ECCV Workshops 2018.

    Args:
        num_feat: Width.
        num_block: Blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 64, num_block: int = 16, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.scale = scale
        self.conv_first = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.Sequential(*(_ResidualBlock(num_feat) for _ in range(num_block)))
        first, *second = steps(scale)
        self.upconv1 = nn.Conv2d(num_feat, first**2 * num_feat, 3, padding=1)
        self.upconv2 = nn.Conv2d(num_feat, 4 * num_feat, 3, padding=1) if second else None
        self.hr_conv = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_last = nn.Conv2d(num_feat, 3, 3, padding=1)
        self.shuffle = nn.PixelShuffle(first)
        self.act = nn.LeakyReLU(0.1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                start_small(module)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        features = self.blocks(self.act(self.conv_first(lr)))
        features = self.act(self.shuffle(self.upconv1(features)))
        if self.upconv2 is not None:
            features = self.act(self.shuffle(self.upconv2(features)))
        residual: Tensor = self.conv_last(self.act(self.hr_conv(features)))
        return enlarged(lr, "bilinear", self.scale) + residual


ENTRY = Baseline(
    network=MSRResNet,
    system="MSRResNet",
    scales=SCALES,
    scaled_by={"num_feat": (4, 8, 12, 16, 24, 32, 48, 64), "num_block": (1, 2, 4, 8, 16)},
    recipe=(Stage(1.0, {**HALVED, "learning_rate": 1e-4, "batch": 32, "patch": 24}),),
    official_keys={"recon_trunk.": "blocks.", "HRconv.": "hr_conv."},
)
