"""The largest member of each hand-designed family that keeps to a runtime budget on this device."""

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from baselines.registry import BASELINES, build
from sr.deployment import deploy
from sr.errors import InputError
from sr.lr_size import LrSize
from sr.measure.latency import Protocol
from sr.measure.latency_model import LatencyModel, work_of
from sr.measure.measurement import Measurement, measure
from sr.measure.operator_work import Operator, operators_of
from sr.measure.target import Target

# Kept free for the 90th percentile, which the budget is for.
_AIM = 0.97
_ROUNDS = 4
_QUICK = Protocol(seconds=0.5, early_stop_runs=3)


@dataclass(frozen=True)
class Member:
    """One network of a family.

    Attributes:
        name: The family's key in `BASELINES`.
        config: Its size, as `build` takes it.
        measurement: Its counts and its runtime, without quality.
    """

    name: str
    config: Mapping[str, Any]
    measurement: Measurement

    @property
    def title(self) -> str:
        """Its name with its size, such as `ecbsr num_feat=16 num_block=8`."""
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.config.items())])

    def build(self) -> nn.Module:
        """Build it untrained, in deployed form."""
        return build(self.name, **self.config)


def scalable_families() -> tuple[str, ...]:
    """Return the names of the families that have other sizes than the published one."""
    return tuple(name for name, entry in BASELINES.items() if entry.scaled_by)


def sizes_of(name: str) -> tuple[dict[str, Any], ...]:
    """Return the configs of all sizes of a family, every combination of the values that it scales by."""
    scaled_by = BASELINES[name].scaled_by
    return tuple(dict(zip(scaled_by, values, strict=True)) for values in itertools.product(*scaled_by.values()))


def at_budget(
    names: Sequence[str],
    budget_ms: float,
    target: Target,
    model: LatencyModel,
    *,
    protocol: Protocol = _QUICK,
    rounds: int = _ROUNDS,
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

    Returns:
        By the name of the family its member, in the order of `names`; without those of which none keeps to the budget.

    Raises:
        InputError: Where a family has no other sizes, or the engine cannot run it.
    """
    for name in names:
        if name not in BASELINES or not BASELINES[name].scaled_by:
            raise InputError(f"a family that can be scaled is one of {', '.join(scalable_families())}; got {name!r}")
    families = {name: _Family(name, target, model) for name in names}
    limited = replace(protocol, early_stop_ms=2 * budget_ms)
    for _ in range(rounds):
        tried = {name: size for name, family in families.items() if (size := family.next(budget_ms)) is not None}
        networks = {name: build(name, **size.config) for name, size in tried.items()}
        for name, measurement in measure(networks, target, limited).items() if networks else ():
            families[name].measured(tried[name], measurement, budget_ms)
    return {name: family.best for name, family in families.items() if family.best is not None}


@dataclass(frozen=True)
class _Size:
    """A member that was not measured."""

    config: Mapping[str, Any]
    multi_adds: int
    predicted_ms: float


class _Family:
    """The sizes of a family, and what is known of them.

    Attributes:
        best: The largest that keeps to the budget so far.
    """

    def __init__(self, name: str, target: Target, model: LatencyModel) -> None:
        self.name = name
        self.best: Member | None = None
        sizes = [_size(name, config, target, model) for config in sizes_of(name)]
        self._left = sorted(sizes, key=lambda size: -size.multi_adds)
        self._factor, self._largest = 1.0, 0

    def next(self, budget_ms: float) -> _Size | None:
        """Return the largest size that is predicted to keep to the budget, None where it is known already."""
        wanted = (size for size in self._left if size.multi_adds > self._largest)
        return next((size for size in wanted if self._factor * size.predicted_ms <= _AIM * budget_ms), None)

    def measured(self, size: _Size, measurement: Measurement, budget_ms: float) -> None:
        """Learn from a measured size."""
        self._left.remove(size)
        self._factor = measurement.runtime.p90_ms / size.predicted_ms
        if measurement.within(budget_ms):
            self.best, self._largest = Member(self.name, size.config, measurement), size.multi_adds


def _size(name: str, config: Mapping[str, Any], target: Target, model: LatencyModel) -> _Size:
    """Return a member with what it has to do and how long that is predicted to take."""
    operators = _operators(name, tuple(config.items()), target.lr_size)
    predicted_ms = model.predict(work_of(operators, target.lr_size[0] * target.lr_size[1]))
    return _Size(config, sum(calls * each.multi_adds() for each, calls in operators.items()), predicted_ms)


@functools.cache
def _operators(name: str, config: tuple[tuple[str, Any], ...], lr_size: LrSize) -> Mapping[Operator, int]:
    """Return what a member has to do, listed once: a budget after the other looks through the same sizes."""
    return operators_of(deploy(build(name, **dict(config))), torch.empty(1, 3, *lr_size, device="meta"))
