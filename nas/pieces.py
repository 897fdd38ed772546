"""What searched networks are made of: pieces that many of them share, each of which can be timed alone."""

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from search_spaces.architecture import Architecture, Block
from search_spaces.network import SearchedNetwork, build
from sr.deployment import DTYPES, deploy
from sr.latency import MEMORY_FORMATS, lay_out
from sr.lr_size import LrSize

# A block runs in a row of its like: it finds its input in the caches as its neighbour left it.
CHAIN = 3
# The aggregation `concat` costs so much more a block: measured at two counts, straight between and beyond them.
FEW, MANY = 2, 10
EMPTY = (Block("identity"),)

Run = Callable[[SearchedNetwork, Tensor, Sequence[Tensor]], Tensor]


@dataclass(frozen=True)
class Piece:
    """One part of a small network that holds it; part: a key of PARTS."""

    part: str
    network: Architecture

    @property
    def num_feat(self) -> int:
        """The width."""
        return self.network.num_feat

    @property
    def times(self) -> int:
        """How often what the piece stands for is run when it is timed."""
        return CHAIN if self.part == "blocks" else 1

    @property
    def name(self) -> str:
        """What tells pieces of the same width apart."""
        network = self.network
        kind = {
            "head": "head",
            "blocks": f"{CHAIN} {network.blocks[0].kind}" + (" batch norm" if network.norm == "batch" else ""),
            "aggregation": f"{network.aggregation} of {len(network.blocks)}",
            "upsampler": f"{network.upsampler} with {network.image_skip} skip",
        }
        return kind[self.part]

    def at(self, num_feat: int) -> "Piece":
        """Return the same at another width."""
        return replace(self, network=replace(self.network, num_feat=num_feat))


def parts(architecture: Architecture) -> dict[Piece, float]:
    """Return the pieces of an architecture, each with how often it takes what its timing does; may be below 0."""
    built = architecture.canonical
    plain = Architecture(built.num_feat, EMPTY)
    upsampler = replace(plain, upsampler=built.upsampler, image_skip=built.image_skip)
    found = {Piece("head", plain): 1.0, Piece("upsampler", upsampler): 1.0}
    for block, count in Counter(built.blocks).items():
        if block.kind != "identity":
            chain = Architecture(built.num_feat, (block,) * CHAIN, norm=built.norm)
            found[Piece("blocks", chain)] = count / CHAIN
    if built.aggregation == "long_skip":
        found[Piece("aggregation", replace(plain, aggregation="long_skip"))] = 1.0
    elif built.aggregation == "concat":
        more = (len(built.blocks) - FEW) / (MANY - FEW)
        for count, share in ((FEW, 1 - more), (MANY, more)):
            joined = Architecture(built.num_feat, (Block("branched_conv"),) * count, aggregation="concat")
            found[Piece("aggregation", joined)] = share
    return {piece: share for piece, share in found.items() if share}


def run_blocks(network: SearchedNetwork, _lr: Tensor, outputs: Sequence[Tensor]) -> Tensor:
    """Run the trunk alone."""
    feature = outputs[0]
    for block in network.trunk:
        feature = block(feature)
    return feature


PARTS: dict[str, Run] = {
    "head": lambda network, lr, _outputs: cast("Tensor", network.act(network.conv_first(lr))),
    "blocks": run_blocks,
    "aggregation": lambda network, _lr, outputs: cast("Tensor", network.aggregation(outputs)),
    "upsampler": lambda network, lr, outputs: cast("Tensor", network.upsampler(outputs[0], lr)),
}


def prepare(
    piece: Piece, device: torch.device, dtype: str, memory_format: str, lr_size: LrSize
) -> Callable[[], Tensor]:
    """Return a run of the deployed piece on random content, for one LR picture of lr_size (height, width)."""
    network = cast("SearchedNetwork", deploy(build(piece.network)).to(device, DTYPES[dtype]))
    lay_out(network, memory_format)
    random = torch.Generator().manual_seed(0)

    def picture(channels: int) -> Tensor:
        drawn = torch.rand(1, channels, *lr_size, generator=random).to(device, DTYPES[dtype])
        return drawn.contiguous(memory_format=MEMORY_FORMATS[memory_format])

    # Only what is read: the head's output, and those of all blocks where they are joined.
    read = 1 + len(network.trunk) if piece.part == "aggregation" else 1
    lr, outputs = picture(3), [picture(piece.num_feat) for _ in range(read)]
    return lambda: PARTS[piece.part](network, lr, outputs)


@functools.cache
def work_of(piece: Piece) -> int:
    """Return what the time of a hopeless piece grows with: its multi-adds, its channels where it has none."""
    run = prepare(piece, torch.device("meta"), "float32", "contiguous", (16, 16))
    with torch.no_grad(), FlopCounterMode(display=False) as operators:
        run()
    return operators.get_total_flops() // 2 or piece.num_feat
