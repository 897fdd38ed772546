"""The entries of the latency lookup table: parts that many networks share, each of which can be timed alone."""

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from search_spaces.architecture import Architecture, Block
from search_spaces.network import SearchedNetwork, build
from sr.deployment import deploy
from sr.lr_size import LrSize
from sr.measure.engines.registry import engine_of
from sr.measure.target import Target

# A block runs in a row of its like: it finds its input in the caches as its neighbour left it.
_CHAIN = 3
# The aggregation `concat` costs so much more a block: measured at two counts, straight between and beyond them.
_FEW, _MANY = 2, 10
_EMPTY = (Block("identity"),)


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


def prepare(entry: Entry, target: Target, memory_format: str) -> Callable[[], object]:
    """Return a run of an entry's deployed part on random content, in the target's engine.

    Args:
        entry: What is run.
        target: What it runs on, and the size of the LR picture.
        memory_format: One of the engine's.
    """
    part, inputs = _part_of(entry, target.lr_size)
    runner = engine_of(target).prepare(part, target, inputs, memory_format=memory_format, any_weights=True)
    return runner.execute


@functools.cache
def work_of(entry: Entry) -> int:
    """Return what an entry's time grows with over its widths: its multi-adds, its channels where it has none."""
    part, inputs = _part_of(entry, (16, 16))
    with torch.no_grad(), FlopCounterMode(display=False) as operators:
        part(*inputs)
    return operators.get_total_flops() // 2 or entry.num_feat


def _part_of(entry: Entry, lr_size: LrSize) -> tuple[nn.Module, list[Tensor]]:
    """Return an entry's part alone, deployed, and what it is run on."""
    random = torch.Generator().manual_seed(0)
    network = cast("SearchedNetwork", deploy(build(entry.network)))
    features, pictures = (
        [torch.rand(1, channels, *lr_size, generator=random) for _ in range(count)]
        # Only what is read: the outputs of all blocks where they are joined.
        for channels, count in ((entry.num_feat, 1 + len(network.trunk) if entry.part == "aggregation" else 1), (3, 1))
    )
    inputs = {"head": pictures, "blocks": features, "aggregation": features, "upsampler": [*features, *pictures]}
    return _Part(entry.part, network), inputs[entry.part]


class _Part(nn.Module):
    """One part of a network: its head, its blocks, its aggregation or its upsampler."""

    def __init__(self, part: str, network: SearchedNetwork) -> None:
        super().__init__()
        self.part = part
        # What it does not run it need not hold.
        modules = {"head": (network.conv_first, network.act), "blocks": tuple(network.trunk)}
        whole = {"aggregation": network.aggregation, "upsampler": network.upsampler}
        self.modules_run = nn.ModuleList(modules.get(part) or (whole[part],))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Run it on what it reads."""
        if self.part == "aggregation":
            return self.modules_run[0](list(inputs))  # type: ignore[no-any-return]
        if self.part == "upsampler":
            return self.modules_run[0](*inputs)  # type: ignore[no-any-return]
        (feature,) = inputs
        for module in self.modules_run:
            feature = module(feature)
        return feature
