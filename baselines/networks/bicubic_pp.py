"""Bicubic++, the winner of NTIRE 2023's real-time challenge."""

from torch import Tensor, nn

from baselines.entry import Baseline
from baselines.networks.hcsrn import cropped
from baselines.stages import Stage
from sr.scale import DEFAULT_SCALE, SCALES


class BicubicPP(nn.Module):
    """Few convolutions at half the size, all without bias; counts equal those of the official code.

    The authors' is for three times the size, and so are their weights, by which the function was not checked. Any LR
    size: what an odd side has too much is cut off. Input range of the original: [0, 1].

    Source: Bilecen, Ayazoglu, "Bicubic++: Slim, Slimmer, Slimmest - Designing an Industry-Grade Super-Resolution
    Network", CVPR Workshops 2023.

    Args:
        num_feat: Width.
        num_block: Convolutions between the first and the last.
        scale: How many times as high and wide the picture becomes.
    """

    def __init__(self, num_feat: int = 32, num_block: int = 2, *, scale: int = DEFAULT_SCALE) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(3, num_feat, 3, stride=2, padding=1, bias=False)
        self.body = nn.ModuleList(nn.Conv2d(num_feat, num_feat, 3, padding=1, bias=False) for _ in range(num_block))
        self.tail = nn.Conv2d(num_feat, 3 * (2 * scale) ** 2, 3, padding=1, bias=False)
        self.act = nn.LeakyReLU(0.1)
        self.shuffle = nn.PixelShuffle(2 * scale)

    def forward(self, lr: Tensor) -> Tensor:
        """Map (n, 3, h, w) in [0, 1] to (n, 3, scale * h, scale * w)."""
        shallow = self.act(self.head(lr))
        features = shallow
        for conv in self.body:
            features = self.act(conv(features))
        sr: Tensor = self.shuffle(self.tail(features + shallow))
        return cropped(sr, self.scale * lr.shape[2], self.scale * lr.shape[3])


ENTRY = Baseline(
    network=BicubicPP,
    system="Bicubic++",
    since="NTIRE 2023, won in real time",
    scales=SCALES,
    scaled_by={"num_feat": (8, 16, 24, 32, 40, 48, 64, 80, 96, 128), "num_block": (1, 2, 3, 4, 6, 8)},
    recipe=(Stage(1.0, {"loss": "l2", "minimum_learning_rate": 5e-6, "patch": 72}),),
)
