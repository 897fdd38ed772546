"""What the parts of an architecture are, in the words that the diagrams of a page use."""

from itertools import groupby
from typing import Any

from search_spaces.architecture import Architecture

# By the kinds of `search_spaces.kinds.BLOCKS`.
BLOCK_WORDS = {
    "residual_relu": "3\N{MULTIPLICATION SIGN}3, ReLU, 3\N{MULTIPLICATION SIGN}3, plus its input",
    "residual_leaky": "3\N{MULTIPLICATION SIGN}3, leaky ReLU, 3\N{MULTIPLICATION SIGN}3, plus its input",
    "inverted_x3": "expand 3 times, depthwise 3\N{MULTIPLICATION SIGN}3, shrink",
    "inverted_x6": "expand 6 times, depthwise 3\N{MULTIPLICATION SIGN}3, shrink",
    "mobilenetv3": "expand, depthwise, weigh channels, shrink",
    "idle": "works on one half of the channels",
    "multiscale_idle": "1\N{MULTIPLICATION SIGN}5 and 5\N{MULTIPLICATION SIGN}1 on fewer and fewer channels",
    "branched_conv": "one 3\N{MULTIPLICATION SIGN}3, trained as five branches",
    "edge_conv": "one 3\N{MULTIPLICATION SIGN}3, trained beside edge filters",
    "wide_conv": "one 3\N{MULTIPLICATION SIGN}3, trained twice as wide",
    "wide_residual": "two 3\N{MULTIPLICATION SIGN}3, trained twice as wide, plus its input",
    "symmetric_residual": "two 3\N{MULTIPLICATION SIGN}3, trained to turn and mirror with the picture, plus its input",
    "pixel_attention": "two 3\N{MULTIPLICATION SIGN}3, each value weighed by a 1\N{MULTIPLICATION SIGN}1",
    "parameter_free_attention": "three 3\N{MULTIPLICATION SIGN}3, weighed by their own output",
    "coarse_attention": "two 3\N{MULTIPLICATION SIGN}3, weighed by a coarse view around",
    "large_kernel": "depthwise 7\N{MULTIPLICATION SIGN}7, 1\N{MULTIPLICATION SIGN}1 to twice the width and back",
}
_UPSAMPLER_WORDS = {
    "one_step": "one convolution, then pixel shuffle",
    "two_step": "convolution, pixel shuffle",
    "nearest_conv": "nearest neighbour, convolution",
}
# Those that at x4 take their step twice.
_IN_STEPS = ("two_step", "nearest_conv")
_AGGREGATION_WORDS = {
    "long_skip": "adds the first features",
    "concat": "1\N{MULTIPLICATION SIGN}1 over all blocks, plus the first",
}
# How the LR picture that a network adds to is enlarged.
_SKIP_WORDS = {
    "nearest": "by nearest neighbour",
    "bilinear": "by bilinear interpolation",
    "bicubic": "by bicubic interpolation",
    "learned": "by a learned 3\N{MULTIPLICATION SIGN}3",
}


def vocabulary(scale: int) -> dict[str, Any]:
    """Return what `assets/panel.js` says of an architecture's parts; scale: how many times a picture grows."""
    words = dict(_UPSAMPLER_WORDS)
    if scale == 4:
        words |= {name: f"twice: {words[name]}" for name in _IN_STEPS}
    return {"blocks": BLOCK_WORDS, "upsampler": words, "aggregation": _AGGREGATION_WORDS, "image_skip": _SKIP_WORDS,
            "scale": scale}  # fmt: skip


def described(architecture: Architecture) -> str:
    """Return in a sentence without its full stop what an architecture does with a picture, first to last."""
    words = vocabulary(architecture.scale)
    kinds = [block.kind for block in architecture.blocks if block.kind != "identity"]
    runs = [(kind, len(list(same))) for kind, same in groupby(kinds)]
    joined = words["aggregation"].get(architecture.aggregation)
    enlarged = words["image_skip"].get(architecture.image_skip)
    steps = [
        f"a 3\N{MULTIPLICATION SIGN}3 convolution from the picture to {architecture.num_feat} channels",
        *(f"{count} \N{MULTIPLICATION SIGN} {kind} ({words['blocks'][kind]})" for kind, count in runs),
        *([f"{architecture.aggregation} ({joined})"] if joined else []),
        f"{architecture.upsampler} ({words['upsampler'][architecture.upsampler]})",
    ]
    skip = f"; the LR picture itself is added, enlarged {enlarged}" if enlarged else ""
    return f"{', then '.join(steps)}{skip}"
