"""What an architecture's network has to do, added up from its parts: thousands a second, for predicted runtimes."""

import functools
from collections import Counter
from collections.abc import Mapping

import torch

from search_spaces.architecture import Architecture, Block
from search_spaces.network import ConcatOutputs, build
from sr.deployment import deploy
from sr.lr_size import LrSize
from sr.measure.latency_model import Work, work_of
from sr.measure.operator_work import Operator, operators_of

_EMPTY = (Block("identity"),)


def work(architecture: Architecture, lr_size: LrSize) -> Work:
    """Return what the deployed network of an architecture has to do, from parts that are looked at once a process each.

    Args:
        architecture: Of which network.
        lr_size: Height and width of the LR picture.

    Returns:
        As `sr.measure.latency_model.work_of` does.
    """
    built = architecture.canonical
    frame = Architecture(built.num_feat, _EMPTY, built.upsampler, built.image_skip, scale=built.scale)
    total = _whole(frame, lr_size)
    for kind, count in Counter(block.kind for block in built.blocks).items():
        total = total + count * _block(kind, built.num_feat, built.norm, lr_size)
    if built.aggregation != "none":
        total = total + _aggregation(built.aggregation, built.num_feat, len(built.blocks), lr_size)
    return total


@functools.cache
def _whole(architecture: Architecture, lr_size: LrSize) -> Work:
    """Return the work of a network."""
    return _work(operators_of(deploy(build(architecture)), torch.empty(1, 3, *lr_size, device="meta")), lr_size)


@functools.cache
def _block(kind: str, num_feat: int, norm: str, lr_size: LrSize) -> Work:
    """Return the work of one block."""
    network = deploy(build(Architecture(num_feat, (Block(kind),), norm=norm)))
    (block,) = network.get_submodule("trunk").children()
    return _work(operators_of(block, torch.empty(1, num_feat, *lr_size, device="meta")), lr_size)


@functools.cache
def _aggregation(kind: str, num_feat: int, blocks: int, lr_size: LrSize) -> Work:
    """Return the work of joining the outputs of the head and of all blocks."""
    pixels = lr_size[0] * lr_size[1]
    if kind == "long_skip":
        return _work({Operator("elementwise", pixels, num_feat, read=2 * pixels * num_feat): 1}, lr_size)
    feature = torch.empty(1, num_feat, *lr_size, device="meta")
    return _work(operators_of(ConcatOutputs(num_feat, blocks), [feature] * (blocks + 1)), lr_size)


def _work(operators: Mapping[Operator, int], lr_size: LrSize) -> Work:
    return work_of(operators, lr_size[0] * lr_size[1])
