"""LarvaNet, the entry of MCML-Yonsei."""

from itertools import accumulate

import torch
from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.initialisation import start_small
from baselines.parts.rescale import RGB_RANGE, enlarged
from baselines.stages import HALVED, Stage
from sr.scale import DEFAULT_SCALE, SCALES


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, with a counted activation between them."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        out: Tensor = x + self.conv2(self.act(self.conv1(x)))
        return out


class _Body(nn.Module):
    """Residual blocks beside the identity."""

    def __init__(self, num_feat: int, num_block: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(ResidualBlock(num_feat) for _ in range(num_block)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        out: Tensor = x + self.blocks(x)
        return out


class LarvaNet(nn.Module):
    """Multi-exit residual network; function and counts equal the official ones.

    Input range of the original: [0, 255].

    Source: Jeon, Choi, Kim, Lee, "LarvaNet: Hierarchical Super-Resolution via Multi-exit Architecture", ECCV
    Workshops 2020.

    Args:
        num_feat: Width.
        num_body: Groups of blocks, each with an exit.
        num_block: Blocks in each.
        legs: Whether it is the training form, whose `exits` are trained together. The challenge counted the parameters
            of the deployed form; its 68 convolutions include the 8 of the legs, which do not run.
        cascaded: Whether every exit adds to the picture of the exit before it, as the report says, and not to the
            bicubic one, as the authors' code does; the legs then belong to the deployed form too and run in it.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(
        self,
        num_feat: int = 48,
        num_body: int = 4,
        num_block: int = 7,
        *,
        legs: bool = False,
        cascaded: bool = False,
        scale: int = DEFAULT_SCALE,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.cascaded = cascaded
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.bodies = nn.ModuleList(_Body(num_feat, num_block) for _ in range(num_body))
        self.merge = nn.Conv2d(num_body * num_feat, num_feat, 3, padding=1)
        self.tail = _reconstruction(num_feat, scale)
        self.legs = nn.ModuleList(_reconstruction(num_feat, scale) for _ in range(num_body if legs or cascaded else 0))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                start_small(module)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        if self.cascaded:
            return self.exits(lr)[-1]
        sr: Tensor = _upscaled(lr, self.scale) + self.tail(self.merge(torch.cat(self.features(lr), dim=1)))
        return sr / RGB_RANGE

    def exits(self, lr: Tensor) -> list[Tensor]:
        """Return what each leg makes of (n, 3, h, w), then what `forward` does, each shaped as that and in [0, 1].

        The training form's loss is the mean of their L1 distances; without legs there is one, that of `forward`.
        """
        features = self.features(lr)
        residuals = [leg(feature) for leg, feature in zip(self.legs, features, strict=False)]
        residuals.append(self.tail(self.merge(torch.cat(features, dim=1))))
        base = _upscaled(lr, self.scale)
        if self.cascaded:
            pictures = list(accumulate(residuals, initial=base))[1:]
        else:
            pictures = [base + residual for residual in residuals]
        return [picture / RGB_RANGE for picture in pictures]

    def features(self, lr: Tensor) -> list[Tensor]:
        """Return each body's output, (n, num_feat, h, w)."""
        feature, outputs = self.head(lr * RGB_RANGE), []
        for body in self.bodies:
            feature = body(feature)
            outputs.append(feature)
        return outputs


def _reconstruction(num_feat: int, scale: int) -> nn.Sequential:
    """Return the layers that turn features (n, num_feat, h, w) into a residual (n, 3, scale * h, scale * w)."""
    return nn.Sequential(
        nn.Conv2d(num_feat, num_feat, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(num_feat, 3 * scale**2, 3, padding=1),
        nn.PixelShuffle(scale),
    )


def _upscaled(lr: Tensor, scale: int) -> Tensor:
    """Return (n, 3, h, w) in [0, 1] bicubically enlarged, in [0, 255]."""
    return enlarged(lr * RGB_RANGE, "bicubic", scale)


ENTRY = Baseline(
    network=LarvaNet,
    system="LarvaNet",
    scales=SCALES,
    counted="convs_held",
    recipe=(Stage(1.0, {**HALVED, "optimiser": "adamw", "learning_rate": 1e-4}),),
    training_form={"legs": True},
    official_keys={
        "head.feature_extraction.": "head.",
        **{f"body_{index}.leg.recon_block.": f"legs.{index}." for index in range(4)},
        **{f"body_{index}.res_blocks.": f"bodies.{index}.blocks." for index in range(4)},
        ".body.0.": ".conv1.",
        ".body.2.": ".conv2.",
        "tail.recon_block.": "tail.",
        "tail.merge_conv.": "merge.",
    },
    official_config=lambda tensors: {"legs": any(key.startswith("legs.") for key in tensors)},
)
