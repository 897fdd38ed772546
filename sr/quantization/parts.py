"""Which operations of a network's graph are its head, body, tail, skip and ending, and which of them stay in float."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# What is not computed in 8 bits, by the parts of `part_of`. Which of these is best only measuring tells.
KEEPS: Mapping[str, frozenset[str]] = {
    "nothing": frozenset(),
    "skip": frozenset({"skip", "ending"}),
    "ends": frozenset({"skip", "ending", "head", "tail"}),
}


@dataclass(frozen=True)
class Operation:
    """One operation of a graph, of whatever format.

    Attributes:
        name: Unique in the graph.
        convolves: Whether it is a convolution.
        reads: The names of the values that it takes.
        writes: The names of those that it gives; each is given by one operation alone.
    """

    name: str
    convolves: bool
    reads: tuple[str, ...]
    writes: tuple[str, ...]


def part_of(operations: Sequence[Operation]) -> dict[str, str]:
    """Return the part that each operation belongs to.

    Args:
        operations: A whole graph, each after those that it reads.

    Returns:
        By name: `head`, the convolutions that no other leads to; `tail`, those that lead to no other; `skip`,
        convolutions that are both, with what leads to them alone, and what no convolution comes before or after;
        `ending`, what follows the last convolutions, such as the sum with the skip and the pixel shuffle; `body`, the
        rest.
    """
    after = _reached(operations)
    leads = _leading(operations, {operation.name for operation in operations if operation.convolves})
    skip = {each.name for each in operations if each.convolves and not (after[each.name] or leads[each.name])}
    # What leads to the skip alone is a part of it.
    leads_on = _leading(operations, {each.name for each in operations if each.convolves} - skip)
    if len(skip) == sum(operation.convolves for operation in operations):
        # A network of nothing but these: there is no trunk that they could skip.
        skip = set()
    return {each.name: _part(each, after[each.name], leads_on[each.name], each.name in skip) for each in operations}


def _part(operation: Operation, after: bool, leads: bool, in_skip: bool) -> str:  # noqa: FBT001 - two by two
    """Return the part of an operation that stands after a convolution, leads to one, or is the skip's."""
    if in_skip:
        return "skip"
    if operation.convolves:
        return "body" if after and leads else "head" if leads else "tail"
    if after:
        return "body" if leads else "ending"
    return "head" if leads else "skip"


def _reached(operations: Sequence[Operation]) -> dict[str, bool]:
    """Return whether a convolution comes before each operation."""
    values: dict[str, bool] = {}
    reached = {}
    for operation in operations:
        reached[operation.name] = any(values.get(value, False) for value in operation.reads)
        values |= dict.fromkeys(operation.writes, reached[operation.name] or operation.convolves)
    return reached


def _leading(operations: Sequence[Operation], goals: set[str]) -> dict[str, bool]:
    """Return whether each operation leads to one of the goals other than itself."""
    values: dict[str, bool] = {}
    leading = {}
    for operation in reversed(operations):
        leading[operation.name] = any(values.get(value, False) for value in operation.writes)
        if leading[operation.name] or operation.name in goals:
            values |= dict.fromkeys(operation.reads, True)
    return leading


def kept(operations: Sequence[Operation], keep: str) -> list[str]:
    """Return the names of the operations that stay in float; keep: a key of KEEPS."""
    return [name for name, part in part_of(operations).items() if part in KEEPS[keep]]
