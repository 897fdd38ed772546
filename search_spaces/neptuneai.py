"""The space of the challenge's one search entry: MSRResNet with four kinds at sixteen positions, batch norm."""

from search_spaces.architecture import Architecture, Block
from search_spaces.space import SearchSpace

KINDS = ("inverted_x3", "inverted_x6", "residual_relu", "residual_leaky")


def _skeleton(kinds: tuple[str, ...]) -> Architecture:
    """Return the entry's skeleton, which is MSRResNet's, with these kinds."""
    blocks = tuple(Block(kind) for kind in kinds)
    return Architecture(64, blocks, upsampler="two_step", image_skip="bilinear", norm="batch")


# The only mix of kinds that has the published 1.227 M parameters and 45 convolutions; their order is not published.
NEPTUNEAI = _skeleton(
    tuple(kind for pair in zip(
        ["inverted_x3"] * 5 + ["inverted_x6"] * 3, ["residual_leaky"] * 5 + ["residual_relu"] * 3, strict=True
    ) for kind in pair)
)  # fmt: skip

NEPTUNEAI_SPACE = SearchSpace(
    name="neptuneai",
    positions=16,
    kinds=KINDS,
    num_feat=(64,),
    upsampler=("two_step",),
    image_skip=("bilinear",),
    aggregation=("none",),
    norm="batch",
    seeds=(*(_skeleton((kind,) * 16) for kind in KINDS), NEPTUNEAI),
)
