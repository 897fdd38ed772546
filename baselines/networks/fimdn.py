"""FIMDN, the entry of AiriA_CG."""

from baselines.entry import Baseline
from baselines.networks.imdn import IMDN
from baselines.stages import HALVED, Stage
from sr.scale import DEFAULT_SCALE, SCALES


def fimdn(num_feat: int = 64, num_block: int = 6, *, branched: bool = False, scale: int = DEFAULT_SCALE) -> IMDN:
    """Return AiriA_CG's FIMDN: AIM 2019's IMDN with 6 blocks, a reconstruction with exact counts.

    Input range: [0, 1].

    Source: Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.

    Args:
        num_feat: Width, a multiple of 4.
        num_block: Distilling blocks.
        branched: Whether it is the training form, in which each 3x3 convolution of the blocks is the sum of a 3x3, a
            1x3 and a 3x1 one.
        scale: How many times as high and wide the picture becomes.
    """
    return IMDN(num_feat, num_block, branched=branched, scale=scale)


ENTRY = Baseline(
    network=fimdn,
    system="FIMDN",
    scales=SCALES,
    channel_step=4,
    recipe=(
        Stage(0.73, {**HALVED, "learning_rate": 2e-4, "batch": 64, "patch": 64}),
        Stage(0.15, {**HALVED, "loss": "l2", "learning_rate": 1e-5, "batch": 24, "patch": 160}),
        Stage(0.08, {**HALVED, "loss": "l2", "learning_rate": 1e-6, "batch": 4, "patch": 160}),
        Stage(0.04, {**HALVED, "loss": "l2", "learning_rate": 1e-6, "batch": 24, "patch": 160}, begin="fold"),
    ),
    training_form={"branched": True},
)
