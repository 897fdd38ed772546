"""The rows of the table: Table 1's and the systems since, what each counts, and how near it comes to Table 1."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from baselines.challenge_table.published import PRINTED_UNIT, Published
from baselines.challenge_table.published import rows as published_rows
from baselines.entry import Baseline
from baselines.registry import BASELINES, build
from sr.errors import InputError
from sr.measure.complexity import CONVOLUTIONS, Complexity, count

_Status = Literal["exact", "near", "inspired", "none"]

# Columns of Table 1 that a network decides, the count that is meant and its unit.
_FIGURES = {
    "params_m": ("params", 1e6),
    "flops_g": ("challenge_flops", 1e9),
    "activations_m": ("activations", 1e6),
    "convs": ("convs", 1.0),
}
_NEAR = 0.01
# One or two figures can be hit by choosing a width: no proof that the network is the published one.
_ENOUGH_FIGURES = 3


@dataclass(frozen=True)
class Row:
    """A system of the table; its counts are for one 256x256 picture.

    Attributes:
        system: What it is called.
        team: Whose entry it is; None outside Table 1.
        name: Its key in `BASELINES`; None where nothing is built.
        published: Its row of Table 1, where it has one.
        counts: In the form that Table 1 counted; None where no network is there to count, as for `deployed`.
        deployed: In the form that runs.
        note: What of this needs saying.
    """

    system: str
    team: str | None
    name: str | None
    published: Published | None
    counts: Complexity | None
    deployed: Complexity | None
    note: str

    @property
    def status(self) -> _Status:
        """How the counts meet Table 1; none where there is no network or nothing published to meet."""
        return "none" if self.counts is None or self.published is None else status(self.counts, self.published)

    @property
    def distances(self) -> dict[str, float]:
        """The relative distance, 0.01 for 1 % over, to every published figure by column; empty where none is there."""
        if self.counts is None or self.published is None:
            return {}
        pairs = {column: (figure(self.counts, column), self.published.value(column)) for column in _FIGURES}
        return {column: ours / theirs - 1 for column, (ours, theirs) in pairs.items() if theirs is not None}

    def to_json(self) -> dict[str, Any]:
        """Return JSON values: the counts as integers, null where there is no network."""
        names = ("params", "challenge_flops", "multi_adds", "activations", "convs")
        counts = {name: getattr(self.counts, name) if self.counts else None for name in names}
        published = {column: self.published.value(column) if self.published else None for column in PRINTED_UNIT}
        return {
            "system": self.system,
            "team": self.team,
            "name": self.name,
            **counts,
            "status": self.status,
            "note": self.note,
            "deployed": asdict(self.deployed) if self.deployed else None,
            "published": published if self.published else None,
            "unverified": sorted(self.published.unverified) if self.published else [],
            "distances": {column: round(distance, 6) for column, distance in self.distances.items()},
        }


def figure(counts: Complexity, column: str) -> float:
    """Return a count in the unit of a column of `_FIGURES`."""
    name, unit = _FIGURES[column]
    return float(getattr(counts, name)) / unit


def _compared(published: Published) -> list[str]:
    """Return the columns that decide the status: the organisers' figures, the team's own where there are none."""
    there = [column for column in _FIGURES if published.value(column) is not None]
    return [column for column in there if published.status(column) == "published"] or there


def status(counts: Complexity, published: Published) -> _Status:
    """Return how counts meet a row of Table 1.

    exact: every figure compared is within one unit of its last printed digit; near: else within 1 %; inspired: farther,
    or fewer than three figures to compare; none: no figure.
    """
    columns = _compared(published)
    if not columns:
        return "none"
    if len(columns) < _ENOUGH_FIGURES:
        return "inspired"
    if all(_within(counts, published, column, share=0) for column in columns):
        return "exact"
    return "near" if all(_within(counts, published, column, share=_NEAR) for column in columns) else "inspired"


def _within(counts: Complexity, published: Published, column: str, share: float) -> bool:
    """Return whether a figure is within one unit of the last printed digit, or within `share` of what is printed."""
    theirs = published.value(column)
    assert theirs is not None
    # A hair more: the difference of two decimal fractions is not exact.
    return abs(figure(counts, column) - theirs) <= max(PRINTED_UNIT[column], share * theirs) + 1e-9


def table_rows(chosen: Sequence[str] | None = None) -> list[Row]:
    """Count the rows of Table 1 in its order and then the baselines that are none of them.

    Args:
        chosen: Only these, by system or by baseline, in any case.

    Raises:
        InputError: Where a chosen one is neither.
    """
    listed = list(_systems())
    if chosen is not None:
        known = {key.lower() for system, name, _ in listed for key in (system, name) if key}
        if unknown := [each for each in chosen if each.lower() not in known]:
            raise InputError(f"a system is one of {', '.join(system for system, _, _ in listed)}; got {unknown[0]!r}")
        wanted = {each.lower() for each in chosen}
        listed = [each for each in listed if wanted & {each[0].lower(), (each[1] or each[0]).lower()}]
    return [_counted(*each) for each in listed]


def _systems() -> Iterator[tuple[str, str | None, Published | None]]:
    """Yield each system, its baseline where one is there, and its row of Table 1 where it has one."""
    names = {entry.system: name for name, entry in BASELINES.items()}
    for row in published_rows():
        yield row.system, names.pop(row.system, None), row
    for system, name in names.items():
        yield system, name, None


def _counted(system: str, name: str | None, published: Published | None) -> Row:
    """Build and count one system."""
    team = published.team if published else None
    if name is None:
        assert published is not None
        return Row(system, team, None, published, None, None, published.not_built)
    entry = BASELINES[name]
    torch.manual_seed(0)
    network = build(name)
    deployed = count(network)
    counts = deployed
    if entry.counted == "with_norms":
        counts = count(network, fold=False)
    elif entry.counted == "convs_held":
        counts = replace(counts, convs=conv_modules(build(name, **entry.training_form)))
    elif entry.counted == "own_flops":
        own = counts.multi_adds + counts.activations + activation_outputs(network)
        counts = replace(counts, challenge_flops=own)
    return Row(system, team, name, published, counts, deployed, _note(entry, counts, deployed))


def _note(entry: Baseline, counts: Complexity, deployed: Complexity) -> str:
    """Return where a system comes from, or in which way the counts are not those of the deployed form."""
    if entry.counted == "convs_held":
        return f"convolutions counted as held, {counts.convs}: {deployed.convs} run"
    if entry.counted == "own_flops":
        by_counter = deployed.challenge_flops / 1e9
        return f"FLOPs as the team counted, with biases and activations: {by_counter:.2f} G by the challenge's counter"
    if entry.counted == "with_norms":
        return f"counted with its norms as in training: {deployed.params:,} parameters deployed"
    return entry.since


def conv_modules(network: nn.Module) -> int:
    """Return how many convolutions a network holds, whether they run once, more often or never."""
    return sum(isinstance(module, CONVOLUTIONS) for module in network.modules())


def activation_outputs(network: nn.Module, side: int = 256) -> int:
    """Return the elements that modules other than convolutions and shuffles put out for one picture."""
    sizes: list[int] = []

    def note(_module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
        sizes.append(output.numel())

    copied = copy.deepcopy(network).to("meta").eval()
    leaves = [module for module in copied.modules() if not list(module.children())]
    for module in leaves:
        if not isinstance(module, (*CONVOLUTIONS, nn.PixelShuffle)):
            module.register_forward_hook(note)
    with torch.no_grad():
        copied(torch.empty(1, 3, side, side, device="meta"))
    return sum(sizes)
