"""Which row of Table 1 is which baseline, what it counts in the form that Table 1 counted, and how near it comes."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from baselines import BASELINES, build
from baselines.published import PRINTED_UNIT, Published
from baselines.published import rows as published_rows
from sr.complexity import CONVOLUTIONS, Complexity, count
from sr.errors import InputError

Status = Literal["exact", "near", "inspired", "none"]

# Table 1's name of a system and the baseline that it is.
BASELINE_OF = {
    "RFDN": "rfdn",
    "FIMDN": "fimdn",
    "Dilut-Net": "dilutnet",
    "PAN": "pan",
    "LatticeNet": "latticenet",
    "LARN": "larn",
    "GCSR": "gcsr",
    "PFSNet": "pfsnet",
    "MAFFSRN": "maffsrn",
    "PSAN": "psan",
    "LarvaNet": "larvanet",
    "LMSR": "lmsr",
    "IdleSR": "idlesr",
    "ESR-Net": "esrnet",
    "SAM_SR_LITE": "sam_sr_lite",
    "neptuneai": "neptuneai",
    "CFN": "cfn",
    "PWAN": "pwan",
    "SRRN": "srrn",
    "AMAF-Net": "amafnet",
    "LFN": "lfn",
    "SPSR": "spsr",
    "ISRResDNet": "isrresdnet",
    "IMDN": "imdn",
    "MSRResNet": "msrresnet",
}
NOT_BUILT = {
    "FSSR": "its report has no description: nothing is built",
    "AHC-SRN": "what pruning makes of HCSRN: no network before that",
}
# Baselines that are no row of Table 1: what they are called, and what they are.
BESIDE = {
    "hcsrn": ("HCSRN", "the over-parameterised start of AHC-SRN"),
    "imdn_paper": ("IMDN (paper)", "the IMDN of ACM Multimedia 2019, not the challenge's"),
    "ecbsr": ("ECBSR", "ACM Multimedia 2021"),
    "rlfn": ("RLFN", "NTIRE 2022, won in runtime"),
    "fmen": ("FMEN", "NTIRE 2022"),
    "bsrn": ("BSRN", "NTIRE 2022"),
    "safmn": ("SAFMN", "ICCV 2023"),
    "efdn": ("EFDN", "NTIRE 2023 winner"),
    "span": ("SPAN", "NTIRE 2024 winner"),
    "disp": ("DISP", "NTIRE 2026"),
    "spanv2": ("SPANV2", "NTIRE 2026, fastest"),
}
# Counted by the challenge with batch norm or weight norm as in training.
UNFOLDED = frozenset({"neptuneai", "maffsrn", "amafnet", "isrresdnet", "sam_sr_lite"})
# Table 1 has the convolutions that the network with this config holds, not those that run.
MODULES_COUNTED: dict[str, dict[str, Any]] = {"larvanet": {"legs": True}, "lfn": {}}
# The FLOPs are the team's own count: also one per output of a convolution (its bias) and of an activation.
OWN_FLOPS = frozenset({"lmsr"})

# Columns of Table 1 that a network decides, the count that is meant and its unit.
FIGURES = {
    "params_m": ("params", 1e6),
    "flops_g": ("challenge_flops", 1e9),
    "activations_m": ("activations", 1e6),
    "convs": ("convs", 1.0),
}
NEAR = 0.01
# One or two figures can be hit by choosing a width: no proof that the network is the published one.
ENOUGH_FIGURES = 3


@dataclass(frozen=True)
class Row:
    """A system of the table. Its counts are for one 256x256 picture, None where no network is there to count.

    name: its key in `BASELINES`, None where nothing is built. published: its row of Table 1. counts: in the form that
    Table 1 counted; deployed: in the form that runs. note: what of this needs saying.
    """

    system: str
    team: str | None
    name: str | None
    published: Published | None
    counts: Complexity | None
    deployed: Complexity | None
    note: str

    @property
    def status(self) -> Status:
        """How the counts meet Table 1; none where there is no network or nothing published to meet."""
        return "none" if self.counts is None or self.published is None else status(self.counts, self.published)

    @property
    def distances(self) -> dict[str, float]:
        """The relative distance, 0.01 for 1 % over, to every published figure by column; empty where none is there."""
        if self.counts is None or self.published is None:
            return {}
        pairs = {column: (figure(self.counts, column), self.published.value(column)) for column in FIGURES}
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
    """Return a count in the unit of a column of `FIGURES`."""
    name, unit = FIGURES[column]
    return float(getattr(counts, name)) / unit


def compared(published: Published) -> list[str]:
    """Return the columns that decide the status: the organisers' figures, the team's own where there are none."""
    there = [column for column in FIGURES if published.value(column) is not None]
    return [column for column in there if published.status(column) == "published"] or there


def status(counts: Complexity, published: Published) -> Status:
    """Say how counts meet a row of Table 1.

    exact: every figure compared is within one unit of its last printed digit; near: else within 1 %; inspired: farther,
    or fewer than three figures to compare; none: no figure.
    """
    columns = compared(published)
    if not columns:
        return "none"
    if len(columns) < ENOUGH_FIGURES:
        return "inspired"
    if all(within(counts, published, column, share=0) for column in columns):
        return "exact"
    return "near" if all(within(counts, published, column, share=NEAR) for column in columns) else "inspired"


def within(counts: Complexity, published: Published, column: str, share: float) -> bool:
    """Tell whether a figure is within one unit of the last printed digit, or within `share` of what is printed."""
    theirs = published.value(column)
    assert theirs is not None
    # A hair more: the difference of two decimal fractions is not exact.
    return abs(figure(counts, column) - theirs) <= max(PRINTED_UNIT[column], share * theirs) + 1e-9


def table_rows(chosen: Sequence[str] | None = None) -> list[Row]:
    """Count the rows of Table 1 in its order and then the baselines that are none of them.

    chosen: only these, by system or by baseline, in any case; raises InputError where one is neither.
    """
    listed = list(systems())
    if chosen is not None:
        known = {key.lower() for system, name, _ in listed for key in (system, name) if key}
        if unknown := [each for each in chosen if each.lower() not in known]:
            raise InputError(f"a system is one of {', '.join(system for system, _, _ in listed)}; got {unknown[0]!r}")
        wanted = {each.lower() for each in chosen}
        listed = [each for each in listed if wanted & {each[0].lower(), (each[1] or each[0]).lower()}]
    return [counted(*each) for each in listed]


def systems() -> Iterator[tuple[str, str | None, Published | None]]:
    """Yield each system, its baseline where one is there, and its row of Table 1 where it has one."""
    for row in published_rows():
        name = BASELINE_OF.get(row.system)
        yield row.system, name if name in BASELINES else None, row
    for name in sorted(BASELINES.keys() - BASELINE_OF.values(), key=place_beside):
        yield BESIDE[name][0] if name in BESIDE else name, name, None


def place_beside(name: str) -> tuple[int, str]:
    """Return what sorts baselines outside Table 1: as in `BESIDE`, then by name."""
    return (list(BESIDE).index(name) if name in BESIDE else len(BESIDE), name)


def counted(system: str, name: str | None, published: Published | None) -> Row:
    """Build and count one system."""
    team = published.team if published else None
    if name is None:
        note = NOT_BUILT.get(system, "its network is not among the baselines")
        return Row(system, team, None, published, None, None, note)
    torch.manual_seed(0)
    network = build(name)
    deployed = count(network)
    counts = count(network, fold=False) if name in UNFOLDED else deployed
    if name in MODULES_COUNTED:
        counts = replace(counts, convs=conv_modules(build(name, **MODULES_COUNTED[name])))
    if name in OWN_FLOPS:
        own = counts.multi_adds + counts.activations + activation_outputs(network)
        counts = replace(counts, challenge_flops=own)
    return Row(system, team, name, published, counts, deployed, note_on(name, counts, deployed))


def note_on(name: str, counts: Complexity, deployed: Complexity) -> str:
    """Say in which way the counts are not those of the deployed form."""
    if name in BESIDE:
        return BESIDE[name][1]
    if name in MODULES_COUNTED:
        return f"convolutions counted as held, {counts.convs}: {deployed.convs} run"
    if name in OWN_FLOPS:
        by_counter = deployed.challenge_flops / 1e9
        return f"FLOPs as the team counted, with biases and activations: {by_counter:.2f} G by the challenge's counter"
    if name in UNFOLDED:
        return f"counted with its norms as in training: {deployed.params:,} parameters deployed"
    return ""


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
