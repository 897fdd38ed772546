"""SRRN, the entry of InnoPeak_SR."""

from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.parts.rescale import enlarged, upsampler
from baselines.stages import Stage
from sr.scale import DEFAULT_SCALE, SCALES


class _RecursiveBlock(nn.Module):
    """Two 3x3 convolutions beside the identity, with a leaky ReLU between them."""

    def __init__(self, num_feat: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.act = nn.LeakyReLU(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, num_feat, h, w) to the same shape."""
        out: Tensor = x + self.conv2(self.act(self.conv1(x)))
        return out


class SRRN(nn.Module):
    """Recursive residual network, 16 blocks that share 4 sets of weights; a reconstruction with exact counts.

    The order in which blocks share and the paths of the skips are not published; they do not change the counts.
    Any LR size; input range: [0, 1].

    Source: Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution", ECCV Workshops 2020.

    Args:
        num_feat: Width.
        num_block: Blocks.
        pattern: The set, 0 to 9, that each block takes, repeated to `num_block`; no set below the largest is left out.
        scale: How many times as high and wide the picture becomes.

    Raises:
        ValueError: Where the pattern is no row of digits or leaves out a set below its largest.
    """

    def __init__(
        self, num_feat: int = 64, num_block: int = 16, pattern: str = "0123", *, scale: int = DEFAULT_SCALE
    ) -> None:
        super().__init__()
        self.scale = scale
        self.order = _sets_in_order(pattern, num_block)
        self.head = nn.Conv2d(3, num_feat, 3, padding=1)
        self.act = nn.LeakyReLU(0.1)
        self.blocks = nn.ModuleList(_RecursiveBlock(num_feat) for _ in range(max(self.order) + 1))
        self.trunk = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.upsampler = upsampler(num_feat, scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.act(self.head(lr))
        features = shallow
        for index in self.order:
            features = self.blocks[index](features)
        residual: Tensor = self.upsampler(shallow + self.trunk(features))
        return enlarged(lr, "bilinear", self.scale) + residual


def _sets_in_order(pattern: str, num_block: int) -> tuple[int, ...]:
    """Return the set of weights that each block takes; ValueError as the class says."""
    if not (pattern.isascii() and pattern.isdigit()):
        raise ValueError(f"a pattern is a row of digits, one set of weights per block, got {pattern!r}")
    order = tuple(int(pattern[index % len(pattern)]) for index in range(num_block))
    if set(order) != set(range(max(order) + 1)):
        raise ValueError(f"a pattern uses every set up to its largest, got {pattern!r} over {num_block} blocks")
    return order


ENTRY = Baseline(
    network=SRRN,
    system="SRRN",
    scales=SCALES,
    recipe=(Stage(1.0, {"batch": 25, "patch": 49}),),
)
