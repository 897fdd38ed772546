"""The kinds of blocks by name. Needs no torch: what describes networks and spaces knows the names alone."""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from search_spaces import blocks
else:

    class _WhenUsed:
        """Stands for a module that is imported when something of it is used."""

        def __getattr__(self, name: str) -> object:
            return getattr(importlib.import_module("search_spaces.blocks"), name)

    blocks = _WhenUsed()

# Each makes a block of num_feat channels in training form; norm is a key of `search_spaces.blocks.NORMALISED`.
BLOCKS: dict[str, Callable[[int, str], "nn.Module"]] = {
    "residual_relu": lambda num_feat, norm: blocks.Residual(num_feat, norm, leaky=False),
    "residual_leaky": lambda num_feat, norm: blocks.Residual(num_feat, norm, leaky=True),
    "inverted_x3": lambda num_feat, norm: blocks.InvertedResidual(num_feat, norm, expand_ratio=3),
    "inverted_x6": lambda num_feat, norm: blocks.InvertedResidual(num_feat, norm, expand_ratio=6),
    "mobilenetv3": lambda num_feat, norm: blocks.MobileNetV3(num_feat, norm),
    "idle": lambda num_feat, norm: blocks.Idle(num_feat, norm),
    "multiscale_idle": lambda num_feat, norm: blocks.MultiScaleIdle(num_feat, norm),
    "branched_conv": lambda num_feat, norm: blocks.branched_conv(num_feat, norm),
    "edge_conv": lambda num_feat, norm: blocks.edge_conv(num_feat, norm),
    "wide_conv": lambda num_feat, norm: blocks.wide_conv(num_feat, norm),
    "wide_residual": lambda num_feat, norm: blocks.WideResidual(num_feat, norm, symmetric=False),
    "symmetric_residual": lambda num_feat, norm: blocks.WideResidual(num_feat, norm, symmetric=True),
    "pixel_attention": lambda num_feat, norm: blocks.PixelAttention(num_feat, norm),
    "parameter_free_attention": lambda num_feat, norm: blocks.ParameterFreeAttention(num_feat, norm),
    "coarse_attention": lambda num_feat, norm: blocks.CoarseAttention(num_feat, norm),
    "large_kernel": lambda num_feat, norm: blocks.LargeKernel(num_feat, norm),
    "identity": lambda num_feat, norm: blocks.empty_position(num_feat, norm),
}
# What trains as branches that fold into one convolution has no place for a norm between.
WITHOUT_NORM = ("branched_conv", "edge_conv", "wide_conv", "wide_residual", "symmetric_residual")
# Whose features turn and mirror with the picture, where those that they are given do.
SYMMETRIC = ("symmetric_residual",)
# By kinds: what runs as the very block and comes to more by its training, at no price on the device. Some start slower.
TRAINED_BETTER = {
    "residual_leaky": "symmetric_residual",
    "wide_residual": "symmetric_residual",
    "branched_conv": "wide_conv",
}
