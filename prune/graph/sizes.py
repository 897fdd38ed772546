"""Sizes in a traced network: the shape of a value, and who reads no more of a value than that."""

import operator

from torch import fx


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """Return the shape of a node's value, () where it is no single tensor."""
    shape = getattr(node.meta.get("tensor_meta"), "shape", ())
    return tuple(shape)


def reads_size(reader: fx.Node) -> bool:
    """Return whether a node reads of its operand only the batch, height or width."""
    sized = reader.target is getattr and reader.args[1] == "shape"
    return sized and all(
        user.target is operator.getitem and (user.args[1] in (0, 2, 3, -1, -2) or from_height(user.args[1]))
        for user in reader.users
    )


def from_height(index: object) -> bool:
    """Return whether an index into a shape takes height and width."""
    return isinstance(index, slice) and index.start in (2, -2)
