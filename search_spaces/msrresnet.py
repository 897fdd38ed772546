"""The default space: MSRResNet's skeleton from a few thousand parameters to the challenge's baseline."""

from search_spaces.architecture import AGGREGATIONS, IMAGE_SKIPS, UPSAMPLERS, Architecture, Block
from search_spaces.kinds import BLOCKS
from search_spaces.space import SearchSpace
from sr.scale import DEFAULT_SCALE


def repeated(num_feat: int, kind: str, count: int, *, scale: int = DEFAULT_SCALE, **fields: str) -> Architecture:
    """Return the architecture of `count` equal blocks."""
    return Architecture(num_feat, (Block(kind),) * count, scale=scale, **fields)


# The challenge's baseline, by Table 1 of the report: 1,517,571 parameters, 166.36 G, 292.55 M, 37 convolutions.
MSRRESNET = repeated(64, "residual_relu", 16, upsampler="two_step", image_skip="bilinear")

# Timed in the same rounds as whatever is measured, of whatever scale: small enough to cost little, large enough to time
# well.
REFERENCE_NETWORK = repeated(16, "residual_leaky", 2)

MSRRESNET_SPACE = SearchSpace(
    name="msrresnet",
    positions=24,
    kinds=tuple(BLOCKS),
    num_feat=(8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64),
    upsampler=UPSAMPLERS,
    image_skip=IMAGE_SKIPS,
    aggregation=AGGREGATIONS,
    # A ladder over widths, depths and kinds, with skips and aggregations in turn: wherever the budget lies, some of
    # these lie just below it. Around the budgets of small devices few have the nearest skip, which a short training
    # holds back.
    seeds=(
        repeated(8, "residual_leaky", 3),
        repeated(12, "residual_leaky", 10, image_skip="bicubic"),
        repeated(16, "residual_leaky", 4, image_skip="bilinear"),
        repeated(16, "inverted_x3", 6),
        repeated(16, "branched_conv", 8, aggregation="long_skip", image_skip="bilinear"),
        repeated(16, "residual_leaky", 8, aggregation="long_skip", image_skip="bilinear"),
        repeated(32, "branched_conv", 4, image_skip="bicubic"),
        repeated(32, "residual_leaky", 4, aggregation="long_skip"),
        repeated(32, "residual_leaky", 8, aggregation="long_skip"),
        repeated(48, "residual_leaky", 8, aggregation="long_skip"),
        repeated(64, "residual_leaky", 16, aggregation="long_skip"),
        MSRRESNET,
    ),
)
