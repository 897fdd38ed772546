"""Which size of a network published weights are of, by the shapes of their tensors."""

import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from baselines.registry import BASELINES, build, scaled
from sr.errors import InputError
from sr.scale import DEFAULT_SCALE

Shape = tuple[int, ...]
_ROUNDS = 3


def shapes_of(name: str, config: Mapping[str, Any]) -> dict[str, Shape]:
    """Return the shapes of a baseline's tensors by their names, without its storage.

    Raises:
        InputError: Where there is no such network.
    """
    return dict(_shapes(name, tuple(sorted(config.items()))))


@functools.lru_cache(maxsize=256)
def _shapes(name: str, config: tuple[tuple[str, Any], ...]) -> Mapping[str, Shape]:
    with torch.device("meta"):
        network = build(name, **dict(config))
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


def closest_config(
    name: str, shapes: Mapping[str, Shape], start: Mapping[str, Any], scale: int | None = None
) -> tuple[dict[str, Any], float]:
    """Return the config whose network's tensors are most like weights, as changes to the network's defaults.

    Arguments are tried one after another, each at the sizes that the shapes hold and the numbers that the names do,
    until every tensor fits or nothing gets better.

    Args:
        name: A baseline.
        shapes: Those of the weights, by our names.
        start: What is known of the config.
        scale: How many times they enlarge; None where that is to be found too.

    Returns:
        The config, and how many tensors do not fit it.
    """
    config = scaled(start, DEFAULT_SCALE if scale is None else scale)
    least = _misfits(name, config, shapes)
    for _ in range(_ROUNDS):
        before = least
        for key, value in _arguments(name, shapes, scale):
            misfits = _misfits(name, {**config, key: value}, shapes) if least else least
            if misfits < least:
                config, least = {**config, key: value}, misfits
        if least == before:
            break
    return config, least


def fitting_scales(name: str, config: Mapping[str, Any], shapes: Mapping[str, Shape]) -> tuple[int, ...]:
    """Return at which scales every tensor fits: at several where no tensor is larger for a larger scale."""
    return tuple(each for each in BASELINES[name].scales if not _misfits(name, scaled(config, each), shapes))


def _misfits(name: str, config: Mapping[str, Any], shapes: Mapping[str, Shape]) -> float:
    """Return how many tensors are missing, unknown or of another shape; infinite where there is no such network."""
    try:
        wanted = shapes_of(name, config)
    except InputError:
        return float("inf")
    return len(wanted.keys() ^ shapes.keys()) + sum(
        not same(wanted[key], shapes[key]) for key in wanted.keys() & shapes.keys()
    )


def same(one: Shape, other: Shape) -> bool:
    """Return whether two shapes are the same but for sides of 1: (36,) is (36, 1, 1)."""
    return [side for side in one if side != 1] == [side for side in other if side != 1]


def _arguments(name: str, shapes: Mapping[str, Shape], scale: int | None) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of a network and values that they may have for tensors of these shapes, at a scale if any."""
    sides = {side for shape in shapes.values() for side in shape}
    numbers = {int(number) for key in shapes for number in re.findall(r"(?<![^.])\d+(?![^.])", key)}
    # Blocks are numbered from 0, and the first or last of them may have a name instead.
    counts = set(range(max(numbers, default=0) + 4))
    for key, parameter in inspect.signature(BASELINES[name].network).parameters.items():
        if key == "scale":
            yield from ((key, each) for each in BASELINES[name].scales if scale is None and each != DEFAULT_SCALE)
        elif isinstance(parameter.default, bool):
            yield from ((key, value) for value in (False, True))
        elif isinstance(parameter.default, int):
            counted = "block" in key or "group" in key or key.startswith("num_conv")
            yield from ((key, value) for value in sorted(counts if counted else sides))
