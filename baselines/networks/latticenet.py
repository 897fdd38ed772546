"""LatticeNet, the entry of HaiYun."""

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.attention import MeanStdGate
from baselines.parts.rescale import RGB_RANGE, mean_shift
from baselines.stages import HALVED, Stage
from sr.scale import DEFAULT_SCALE, SCALES


def _butterfly_branch(num_feat: int, narrow: int) -> nn.Sequential:
    """Return three 3x3 convolutions, each followed by an activation: num_feat -> narrow -> narrow -> num_feat."""
    return nn.Sequential(
        nn.Conv2d(num_feat, narrow, 3, padding=1),
        nn.LeakyReLU(0.05),
        nn.Conv2d(narrow, narrow, 3, padding=1),
        nn.LeakyReLU(0.05),
        nn.Conv2d(narrow, num_feat, 3, padding=1),
        nn.LeakyReLU(0.05),
    )


class _LatticeBlock(nn.Module):
    """Two butterflies in a row: each branch and what bypasses it, combined with weights taken from each other."""

    def __init__(self, num_feat: int, narrow: int) -> None:
        super().__init__()
        squeezed = max(1, num_feat // 16)
        self.conv_block0 = _butterfly_branch(num_feat, narrow)
        self.conv_block1 = _butterfly_branch(num_feat, narrow)
        self.gate_h = MeanStdGate(num_feat, squeezed)
        self.gate_x = MeanStdGate(num_feat, squeezed)
        self.gate_q = MeanStdGate(num_feat, squeezed)
        self.gate_g = MeanStdGate(num_feat, squeezed)
        self.compress = nn.Conv2d(2 * num_feat, num_feat, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        h = self.conv_block0(x)
        p = x + self.gate_h(h) * h
        q = h + self.gate_x(x) * x
        g = self.conv_block1(p)
        upper = g + self.gate_q(q) * q
        lower = q + self.gate_g(g) * g
        out: Tensor = self.compress(torch.cat((upper, lower), dim=1))
        return out


class _BackwardFusion(nn.Module):
    """One step of the fusion from deep to shallow: half of the channels from each of two features."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.deep = nn.Conv2d(num_feat, num_feat // 2, 1)
        self.shallow = nn.Conv2d(num_feat, num_feat // 2, 1)
        self.act = nn.ReLU()

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """Map two (n, num_feat, h, w) to one."""
        return torch.cat((self.act(self.deep(deep)), self.act(self.shallow(shallow))), dim=1)


class LatticeNet(nn.Module):
    """Network of lattice blocks; function and counts equal those of the team's code.

    Input range of the original: [0, 255], mean colour subtracted; the LR picture must have more than one pixel.

    Source: Luo, Xie, Zhang, Qu, Li, Fu, "LatticeNet: Towards Lightweight Image Super-resolution with Lattice Block",
    ECCV 2020.

    Args:
        num_feat: Width, even.
        narrow: Channels inside a branch.
        num_block: Lattice blocks.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 64, narrow: int = 48, num_block: int = 4, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.sub_mean = mean_shift(-1)
        self.conv1 = nn.Conv2d(3, num_feat, 3, padding=1)
        self.conv2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.blocks = nn.ModuleList(_LatticeBlock(num_feat, narrow) for _ in range(num_block))
        self.fusions = nn.ModuleList(_BackwardFusion(num_feat) for _ in range(num_block - 1))
        self.tail = nn.Sequential(
            nn.Conv2d(num_feat, num_feat, 3, padding=1),
            nn.Conv2d(num_feat, 3 * scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
        )
        self.add_mean = mean_shift(1)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.conv2(self.conv1(self.sub_mean(lr * RGB_RANGE)))
        features, outputs = shallow, []
        for block in self.blocks:
            features = block(features)
            outputs.append(features)
        fused = outputs.pop()
        for fusion in self.fusions:
            fused = fusion(fused, outputs.pop())
        sr: Tensor = self.add_mean(self.tail(fused + shallow))
        return sr / RGB_RANGE


ENTRY = Baseline(
    network=LatticeNet,
    system="LatticeNet",
    scales=SCALES,
    channel_step=2,
    recipe=(Stage(1.0, {**HALVED, "learning_rate": 2e-4}),),
    official_keys={
        **{f"body_unit{number}.": f"blocks.{number - 1}." for number in range(1, 5)},
        **{f"T_tdm{number}.0.": f"fusions.{number - 1}.deep." for number in range(1, 4)},
        **{f"L_tdm{number}.0.": f"fusions.{number - 1}.shallow." for number in range(1, 4)},
        "conv_mean.": "mean_gate.",
        "conv_std.": "std_gate.",
        "fea_ca1.": "gate_h.",
        "x_ca1.": "gate_x.",
        "fea_ca2.": "gate_q.",
        "x_ca2.": "gate_g.",
    },
)
