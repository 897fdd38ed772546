"""The entries of the latency lookup table: parts that many networks share, each of which can be timed alone."""

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
from sr.measure.target import Target
from sr.memory_format import MEMORY_FORMATS, lay_out

# A block runs in a row of its like: it finds its input in the caches as its neighbour left it.
_CHAIN = 3
# The aggregation `concat` costs so much more a block: measured at two counts, straight between and beyond them.
_FEW, _MANY = 2, 10
_EMPTY = (Block("identity"),)

_Run = Callable[[SearchedNetwork, Tensor, Sequence[Tensor]], Tensor]


@dataclass(frozen=True)
class Entry:
    """One part of a small network that holds it.

    Attributes:
        part: head, blocks, aggregation or upsampler.
        network: The small network.
    """

    part: str
    network: Architecture

    @property
    def num_feat(self) -> int:
        """The width."""
        return self.network.num_feat

    @property
    def repeats(self) -> int:
        """How often what the entry stands for is run when it is timed."""
        return _CHAIN if self.part == "blocks" else 1

    @property
    def name(self) -> str:
        """What distinguishes entries of the same width."""
        network = self.network
        kind = {
            "head": "head",
            "blocks": f"{_CHAIN} {network.blocks[0].kind}" + (" batch norm" if network.norm == "batch" else ""),
            "aggregation": f"{network.aggregation} of {len(network.blocks)}",
            "upsampler": f"{network.upsampler} with {network.image_skip} skip",
        }
        return kind[self.part]

    def at(self, num_feat: int) -> "Entry":
        """Return the same at another width."""
        return replace(self, network=replace(self.network, num_feat=num_feat))


def entries_of(architecture: Architecture) -> dict[Entry, float]:
    """Return the entries of an architecture, each with how often it takes what its timing does; may be below 0."""
    built = architecture.canonical
    plain = Architecture(built.num_feat, _EMPTY)
    upsampler = replace(plain, upsampler=built.upsampler, image_skip=built.image_skip)
    found = {Entry("head", plain): 1.0, Entry("upsampler", upsampler): 1.0}
    for block, count in Counter(built.blocks).items():
        if block.kind != "identity":
            chain = Architecture(built.num_feat, (block,) * _CHAIN, norm=built.norm)
            found[Entry("blocks", chain)] = count / _CHAIN
    if built.aggregation == "long_skip":
        found[Entry("aggregation", replace(plain, aggregation="long_skip"))] = 1.0
    elif built.aggregation == "concat":
        more = (len(built.blocks) - _FEW) / (_MANY - _FEW)
        for count, share in ((_FEW, 1 - more), (_MANY, more)):
            joined = Architecture(built.num_feat, (Block("branched_conv"),) * count, aggregation="concat")
            found[Entry("aggregation", joined)] = share
    return {entry: share for entry, share in found.items() if share}


def prepare(entry: Entry, target: Target, memory_format: str) -> Callable[[], Tensor]:
    """Return a run of an entry's deployed part on random content.

    Args:
        entry: What is run.
        target: The device and dtype that it runs in, and the size of the LR picture.
        memory_format: A key of `sr.measure.latency.MEMORY_FORMATS`.
    """
    dtype = DTYPES[target.dtype]
    network = cast("SearchedNetwork", deploy(build(entry.network)).to(target.device, dtype))
    lay_out(network, memory_format)
    random = torch.Generator().manual_seed(0)

    def picture(channels: int) -> Tensor:
        drawn = torch.rand(1, channels, *target.lr_size, generator=random).to(target.device, dtype)
        return drawn.contiguous(memory_format=MEMORY_FORMATS[memory_format])

    # Only what is read: the head's output, and those of all blocks where they are joined.
    read = 1 + len(network.trunk) if entry.part == "aggregation" else 1
    lr, outputs = picture(3), [picture(entry.num_feat) for _ in range(read)]
    return lambda: _PARTS[entry.part](network, lr, outputs)


@functools.cache
def work_of(entry: Entry) -> int:
    """Return what an entry's time grows with over its widths: its multi-adds, its channels where it has none."""
    run = prepare(entry, Target(torch.device("meta"), (16, 16), "float32"), "contiguous")
    with torch.no_grad(), FlopCounterMode(display=False) as operators:
        run()
    return operators.get_total_flops() // 2 or entry.num_feat


def _run_blocks(network: SearchedNetwork, _lr: Tensor, outputs: Sequence[Tensor]) -> Tensor:
    """Run the trunk alone."""
    feature = outputs[0]
    for block in network.trunk:
        feature = block(feature)
    return feature


_PARTS: dict[str, _Run] = {
    "head": lambda network, lr, _outputs: cast("Tensor", network.act(network.conv_first(lr))),
    "blocks": _run_blocks,
    "aggregation": lambda network, _lr, outputs: cast("Tensor", network.aggregation(outputs)),
    "upsampler": lambda network, lr, outputs: cast("Tensor", network.upsampler(outputs[0], lr)),
}
