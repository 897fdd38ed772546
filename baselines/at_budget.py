"""The largest members of each hand-designed family that keep to a runtime budget on this device."""

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from baselines.beside_reference import measure_beside_reference
from baselines.registry import BASELINES, build, check_network, scaled
from sr.deployment import deploy
from sr.errors import InputError
from sr.lr_size import LrSize
from sr.measure.calm_speed import CalmSpeed
from sr.measure.latency import Protocol
from sr.measure.latency_model import LatencyModel, Work, work_of
from sr.measure.measurement import Measurement
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
    found = (_Line(_sizes(name, target, model, scale)).next(budget_ms) for name in _checked(names, scale))
    return [size for size in found if size is not None]


def at_budget(
    names: Sequence[str],
    budget_ms: float,
    target: Target,
    model: LatencyModel,
    *,
    shapes: int = 1,
    protocol: Protocol = _QUICK,
    rounds: int = _ROUNDS,
    scale: int = DEFAULT_SCALE,
    calm_ms: float | None = None,
) -> dict[str, tuple[Member, ...]]:
    """Return of each family the largest members, by multiply-adds, that keep to a budget when they are measured.

    A model says which size of a family to measure; what that takes corrects it for the family's next size.

    Args:
        names: Keys of `BASELINES`.
        budget_ms: Milliseconds that nine runs of ten keep to.
        target: What they run on.
        model: What work costs there, as a search learned it.
        shapes: How many members of a family at the most, each of another width and as deep as the budget allows: the
            largest is the widest and shallowest, which seldom is the best.
        protocol: How members are timed, all families in the same rounds.
        rounds: Sizes of one width that are measured at the most.
        scale: How many times they enlarge.
        calm_ms: What the reference network takes when nothing slows the device: members keep to the budget at that
            speed. None for the speed that it has.

    Returns:
        By the name of the family its members, the largest first, in the order of `names`; without those of which none
        keeps to the budget.

    Raises:
        InputError: Where a family has no other sizes or not this scale, or the engine cannot run it.
    """
    limited = replace(protocol, early_stop_ms=2 * budget_ms)
    calm = None if calm_ms is None else CalmSpeed(calm_ms)

    def measured(lines: Sequence[_Line]) -> None:
        for _ in range(rounds):
            tried = {size.title: (line, size) for line in lines if (size := line.next(budget_ms)) is not None}
            if not tried:
                return
            networks = {title: size.build() for title, (_, size) in tried.items()}
            taken = measure_beside_reference(networks, target, limited)
            for title, (line, size) in tried.items():
                line.measured(size, taken[title], budget_ms, calm)

    families = {name: list(_sizes(name, target, model, scale)) for name in _checked(names, scale)}
    largest = {name: _Line(sizes) for name, sizes in families.items()}
    measured(list(largest.values()))
    others = {name: _other_lines(sizes, largest[name], budget_ms)[: shapes - 1] for name, sizes in families.items()}
    measured(list(itertools.chain.from_iterable(others.values())))
    found = {name: [line.best for line in (largest[name], *others[name]) if line.best is not None] for name in families}
    return {
        name: tuple(sorted(members, key=lambda member: -member.size.multi_adds))
        for name, members in found.items()
        if members
    }


def _checked(names: Sequence[str], scale: int) -> Sequence[str]:
    """Return names of families that have sizes, and this scale; raises InputError for another one."""
    check_scale(scale)
    for name in names:
        if name not in BASELINES or not BASELINES[name].scaled_by:
            known = ", ".join(scalable_families(scale))
            raise InputError(f"a family that can be scaled is one of {known}; got {name!r}")
        check_network(name, scale)
    return names


class _Line:
    """Sizes of a family of which the largest within a budget is wanted, and what is known of them.

    Args:
        sizes: In any order.
        factor: How many times as long as predicted they are expected to take.

    Attributes:
        best: The largest that keeps to the budget so far.
        factor: As the last one that was measured showed it.
    """

    def __init__(self, sizes: Iterable[Size], factor: float = 1.0) -> None:
        self.best: Member | None = None
        self.factor = factor
        self._left = sorted(sizes, key=lambda size: -size.multi_adds)
        self._largest = 0

    def next(self, budget_ms: float) -> Size | None:
        """Return the largest size that is predicted to keep to the budget, None where it is known already."""
        wanted = (size for size in self._left if size.multi_adds > self._largest)
        return next((size for size in wanted if self.factor * size.predicted_ms <= _AIM * budget_ms), None)

    def measured(self, size: Size, measurement: Measurement, budget_ms: float, calm: CalmSpeed | None = None) -> None:
        """Learn from a measured size, by what its runtime stands for at calm speed where that is known."""
        self._left.remove(size)
        p90_ms = measurement.runtime.p90_ms / (1.0 if calm is None else calm.slowdown(measurement))
        self.factor = p90_ms / size.predicted_ms
        if p90_ms <= budget_ms:
            self.best, self._largest = Member(size, measurement), size.multi_adds


def _other_lines(sizes: Sequence[Size], largest: _Line, budget_ms: float) -> list[_Line]:
    """Return the widths of a family but for that of its largest member, what is likely the largest within first.

    Sizes of one width differ in their depth alone, or, in families of one depth, in what they are sized by last.
    """
    if largest.best is None:
        return []
    varied = [key for key, values in BASELINES[largest.best.name].scaled_by.items() if len(values) > 1]
    deepened = _DEPTH if _DEPTH in varied else varied[-1]

    def width(size: Size) -> tuple[Any, ...]:
        return tuple(value for key, value in size.config.items() if key != deepened)

    taken = width(largest.best.size)
    by_width: dict[tuple[Any, ...], list[Size]] = {}
    for size in sizes:
        by_width.setdefault(width(size), []).append(size)
    lines = [_Line(its, largest.factor) for each, its in by_width.items() if each != taken]
    likely = [(first.multi_adds, line) for line in lines if (first := line.next(budget_ms)) is not None]
    return [line for _, line in sorted(likely, key=lambda pair: -pair[0])]


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
