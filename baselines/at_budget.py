"""The largest member of each hand-designed family that keeps to a runtime budget on this device."""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from baselines.registry import BASELINES, build, check_network, scaled
from sr.deployment import deploy
from sr.errors import InputError
from sr.lr_size import LrSize
from sr.measure.latency import Protocol
from sr.measure.latency_model import LatencyModel, Work, work_of
from sr.measure.measurement import Measurement, measure
from sr.measure.operator_work import operators_of
from sr.measure.target import Target
from sr.scale import DEFAULT_SCALE, check_scale

# Kept free for the 90th percentile, which the budget is for.
_AIM = 0.97
_ROUNDS = 4
_QUICK = Protocol(seconds=0.5, early_stop_runs=3)
# The argument that says how many equal blocks a network has.
_DEPTH = "num_block"


@dataclass(frozen=True)
class Size:
    """One network of a family.

    Attributes:
        name: The family's key in `BASELINES`.
        config: Its size, as `build` takes it.
        multi_adds: Of the deployed form, for the LR picture that it was looked at for.
        predicted_ms: What a model says of its runtime.
    """

    name: str
    config: Mapping[str, Any]
    multi_adds: int
    predicted_ms: float

    @property
    def title(self) -> str:
        """Its name with its size."""
        return title_of(self.name, self.config)

    def build(self) -> nn.Module:
        """Build it untrained, in deployed form."""
        return build(self.name, **self.config)


@dataclass(frozen=True)
class Member:
    """A size that was measured: its counts and its runtime, without quality."""

    size: Size
    measurement: Measurement

    @property
    def name(self) -> str:
        """The family's key in `BASELINES`."""
        return self.size.name

    @property
    def config(self) -> Mapping[str, Any]:
        """Its size, as `build` takes it."""
        return self.size.config

    @property
    def title(self) -> str:
        """Its name with its size."""
        return self.size.title


def title_of(name: str, config: Mapping[str, Any]) -> str:
    """Return a network's name with its size, such as `ecbsr num_feat=16 num_block=8`; all beside it share its scale."""
    return " ".join([name, *(f"{key}={value}" for key, value in config.items() if key != "scale")])


def scalable_families(scale: int = DEFAULT_SCALE) -> tuple[str, ...]:
    """Return the names of the families that have other sizes than the published one, and this scale."""
    return tuple(name for name, entry in BASELINES.items() if entry.scaled_by and scale in entry.scales)


def sizes_of(name: str, scale: int = DEFAULT_SCALE) -> tuple[dict[str, Any], ...]:
    """Return the configs of all sizes of a family at a scale, every combination of the values that it is sized by."""
    scaled_by = BASELINES[name].scaled_by
    combinations = itertools.product(*scaled_by.values())
    return tuple(scaled(dict(zip(scaled_by, values, strict=True)), scale) for values in combinations)


def largest_predicted(
    names: Sequence[str], budget_ms: float, target: Target, model: LatencyModel, *, scale: int = DEFAULT_SCALE
) -> list[Size]:
    """Return of each family the largest size that is predicted to keep to a budget; nothing is measured.

    Args:
        names: Keys of `BASELINES`.
        budget_ms: Milliseconds that nine runs of ten keep to.
        target: What they run on.
        model: What work costs there, as a search learned it.
        scale: How many times they enlarge.

    Returns:
        In the order of `names`, without the families of which none is.

    Raises:
        InputError: Where a family has no other sizes, or not this scale.
    """
    found = (_Family(name, target, model, scale).next(budget_ms) for name in _checked(names, scale))
    return [size for size in found if size is not None]


def at_budget(
    names: Sequence[str],
    budget_ms: float,
    target: Target,
    model: LatencyModel,
    *,
    protocol: Protocol = _QUICK,
    rounds: int = _ROUNDS,
    scale: int = DEFAULT_SCALE,
) -> dict[str, Member]:
    """Return of each family the largest member, by multiply-adds, that keeps to a budget when it is measured.

    A model says which size of a family to measure; what that takes corrects it for the family's next size.

    Args:
        names: Keys of `BASELINES`.
        budget_ms: Milliseconds that nine runs of ten keep to.
        target: What they run on.
        model: What work costs there, as a search learned it.
        protocol: How members are timed, all families in the same rounds.
        rounds: Sizes of a family that are measured at the most.
        scale: How many times they enlarge.

    Returns:
        By the name of the family its member, in the order of `names`; without those of which none keeps to the budget.

    Raises:
        InputError: Where a family has no other sizes or not this scale, or the engine cannot run it.
    """
    families = {name: _Family(name, target, model, scale) for name in _checked(names, scale)}
    limited = replace(protocol, early_stop_ms=2 * budget_ms)
    for _ in range(rounds):
        tried = {name: size for name, family in families.items() if (size := family.next(budget_ms)) is not None}
        networks = {name: size.build() for name, size in tried.items()}
        for name, measurement in measure(networks, target, limited).items() if networks else ():
            families[name].measured(tried[name], measurement, budget_ms)
    return {name: family.best for name, family in families.items() if family.best is not None}


def _checked(names: Sequence[str], scale: int) -> Sequence[str]:
    """Return names of families that have sizes, and this scale; raises InputError for another one."""
    check_scale(scale)
    for name in names:
        if name not in BASELINES or not BASELINES[name].scaled_by:
            known = ", ".join(scalable_families(scale))
            raise InputError(f"a family that can be scaled is one of {known}; got {name!r}")
        check_network(name, scale)
    return names


class _Family:
    """The sizes of a family, and what is known of them.

    Attributes:
        best: The largest that keeps to the budget so far.
    """

    def __init__(self, name: str, target: Target, model: LatencyModel, scale: int = DEFAULT_SCALE) -> None:
        self.best: Member | None = None
        self._left = sorted(_sizes(name, target, model, scale), key=lambda size: -size.multi_adds)
        self._factor, self._largest = 1.0, 0

    def next(self, budget_ms: float) -> Size | None:
        """Return the largest size that is predicted to keep to the budget, None where it is known already."""
        wanted = (size for size in self._left if size.multi_adds > self._largest)
        return next((size for size in wanted if self._factor * size.predicted_ms <= _AIM * budget_ms), None)

    def measured(self, size: Size, measurement: Measurement, budget_ms: float) -> None:
        """Learn from a measured size."""
        self._left.remove(size)
        self._factor = measurement.runtime.p90_ms / size.predicted_ms
        if measurement.within(budget_ms):
            self.best, self._largest = Member(size, measurement), size.multi_adds


def _sizes(name: str, target: Target, model: LatencyModel, scale: int = DEFAULT_SCALE) -> Iterator[Size]:
    """Yield every size of a family at a scale, with what it has to do and how long that is predicted to take."""
    entry, lr_size = BASELINES[name], target.lr_size
    for config in sizes_of(name, scale):
        if _DEPTH in config and entry.equal_blocks:
            # Two depths tell all.
            width = tuple((key, value) for key, value in config.items() if key != _DEPTH)
            (less, first), (more, second) = (_work(name, (*width, (_DEPTH, depth)), lr_size) for depth in (1, 2))
            beyond = config[_DEPTH] - 1
            multi_adds, done = less + beyond * (more - less), first + beyond * (second - first)
        else:
            multi_adds, done = _work(name, tuple(config.items()), lr_size)
        yield Size(name, config, multi_adds, model.predict(done))


@functools.cache
def _work(name: str, config: tuple[tuple[str, Any], ...], lr_size: LrSize) -> tuple[int, Work]:
    """Return the multiply-adds of a size and what it has to do; a budget after the other asks for the same sizes."""
    operators = operators_of(deploy(build(name, **dict(config))), torch.empty(1, 3, *lr_size, device="meta"))
    multi_adds = sum(calls * each.multi_adds() for each, calls in operators.items())
    return multi_adds, work_of(operators, lr_size[0] * lr_size[1])
