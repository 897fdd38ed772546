"""IdleSR, the entry of ZJUESR2020."""

import math

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.initialisation import start_small
from baselines.parts.rescale import enlarged
from baselines.stages import Stage
from search_spaces.blocks import AsymmetricResidual, MultiScaleIdle
from sr.errors import InputError

_LEVELS = 3


class IdleSR(nn.Module):
    """Multi-scale idle blocks whose features are shuffled to HR without convolutions; a reconstruction.

    Activations and convolutions exact, params +1.9 %, FLOPs -2.0 %. Input range: [0, 1].

    Source: team ZJUESR2020 in Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.

    Args:
        num_feat: Width, a multiple of 4.
        num_block: Idle blocks, a multiple of 3, since three levels of features are joined for the shuffle.
        grad_scale: What training multiplies gradients by, over 0; the team's factor is not published. Adam's steps stay
            the same under any factor, so it acts through what is clipped: a recipe that clips their norm at c clips the
            unscaled one at c / grad_scale.
    """

    def __init__(self, num_feat: int = 64, num_block: int = 6, *, grad_scale: float = 1.0) -> None:
        super().__init__()
        if num_block % _LEVELS:
            raise InputError(f"idlesr's num_block must be a multiple of {_LEVELS}, got {num_block}")
        if not 0 < grad_scale < math.inf:
            raise InputError(f"idlesr's grad_scale must be over 0 and finite, got {grad_scale}")
        self.grad_scale = grad_scale
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.blocks = nn.ModuleList(MultiScaleIdle(num_feat, "none") for _ in range(num_block))
        self.fuse = nn.Conv2d(num_block * num_feat, num_feat, 1)
        self.refine = AsymmetricResidual(num_feat, "none")
        self.hr_conv = nn.Conv2d(num_feat // 4, num_feat, 3, padding=1)
        self.conv_last = nn.Conv2d(num_feat, 3, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.act = nn.LeakyReLU(0.1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                start_small(module)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, 4h, 4w)."""
        shallow = self.head(lr)
        features, outputs = shallow, []
        for block in self.blocks:
            features = block(features)
            outputs.append(features)
        fused = shallow + self.fuse(torch.cat(outputs, dim=1))
        step = len(outputs) // _LEVELS
        # Four features of num_feat channels are one of num_feat channels at twice the size.
        doubled = self.act(self.shuffle(torch.cat((fused, *outputs[step - 1 :: step]), dim=1)))
        enlarged_twice = self.act(self.shuffle(self.refine(doubled)))
        residual: Tensor = self.conv_last(self.act(self.hr_conv(enlarged_twice)))
        if self.training and self.grad_scale != 1 and residual.requires_grad:
            residual.register_hook(lambda gradient: gradient * self.grad_scale)
        return enlarged(lr, "bicubic") + residual


ENTRY = Baseline(
    network=IdleSR,
    system="IdleSR",
    channel_step=4,
    recipe=(Stage(1.0, {"patch": 64}),),
)
