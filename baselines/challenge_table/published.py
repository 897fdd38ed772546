"""What the challenge published: its Table 1 as rows, and the rank correlations of its Table 2.

Source: Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution: Methods and Results", ECCV Workshops 2020.
"""

import csv
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sr.errors import InputError
from sr.rank_correlation import spearman

_Status = Literal["published", "unverified", "missing"]

# One unit of the last digit that Table 1 prints; it mostly cuts the digits behind, sometimes rounds.
PRINTED_UNIT = {
    "psnr_val": 0.01,
    "psnr_test": 0.01,
    "runtime_s": 0.001,
    "params_m": 0.001,
    "flops_g": 0.01,
    "activations_m": 0.01,
    "memory_m": 1.0,
    "convs": 1.0,
}
# Rows of Table 2 beside the ranked ones.
_ALSO_CORRELATED = frozenset({"SRRN", "AMAF-Net", "SPSR", "IMDN", "MSRResNet"})


@dataclass(frozen=True)
class Published:
    """One row of Table 1; None where no figure was published.

    Attributes:
        team: Whose entry it is.
        system: What it is called.
        psnr_val: In dB, on DIV2K's validation pictures.
        psnr_test: In dB, on DIV2K's test pictures.
        runtime_s: Seconds per picture.
        params_m: In millions.
        flops_g: In 1e9 multiply-adds by the challenge's own count, for one 256x256 LR picture, as what follows.
        activations_m: In millions.
        memory_m: In MB.
        convs: Calls of convolutions.
        extra_data: Whether it was trained on more than DIV2K.
        ranked: Whether it took part in the ranking.
        unverified: The columns whose figure is the team's own, not checked by the organisers.
        not_built: Why there is no baseline of it; empty where there is one.
    """

    team: str
    system: str
    psnr_val: float | None
    psnr_test: float | None
    runtime_s: float | None
    params_m: float | None
    flops_g: float | None
    activations_m: float | None
    memory_m: float | None
    convs: float | None
    extra_data: bool | None
    ranked: bool
    unverified: frozenset[str]
    not_built: str = ""

    @property
    def in_table_2(self) -> bool:
        """Whether Table 2 correlates this row."""
        return self.ranked or self.system in _ALSO_CORRELATED

    def value(self, column: str) -> float | None:
        """Return the figure in a column, one of `PRINTED_UNIT`; InputError where it is none of them."""
        if column not in PRINTED_UNIT:
            raise InputError(f"a column of Table 1 is one of {', '.join(PRINTED_UNIT)}; got {column!r}")
        figure: float | None = getattr(self, column)
        return figure

    def status(self, column: str) -> _Status:
        """Return whether the figure in `column` is the organisers', the team's own, or not there."""
        if self.value(column) is None:
            return "missing"
        return "unverified" if column in self.unverified else "published"


@functools.cache
def rows() -> tuple[Published, ...]:
    """Return the 27 rows in Table 1's order."""
    with Path(__file__).with_name("published.csv").open(encoding="utf-8", newline="") as handle:
        return tuple(_parse(cells) for cells in csv.DictReader(handle))


def _parse(cells: dict[str, str]) -> Published:
    """Turn one line of published.csv into a row."""
    figures = {column: float(cells[column]) if cells[column] else None for column in PRINTED_UNIT}
    return Published(
        team=cells["team"],
        system=cells["system"],
        extra_data={"yes": True, "no": False, "": None}[cells["extra_data"]],
        ranked=cells["ranked"] == "yes",
        unverified=frozenset(cells["unverified"].split()),
        not_built=cells["not_built"],
        **figures,
    )


def row(system: str) -> Published:
    """Return the row of the network called `system`, as Table 1 spells it; InputError where there is none."""
    for candidate in rows():
        if candidate.system == system:
            return candidate
    raise InputError(f"Table 1 has {', '.join(each.system for each in rows())}; got {system!r}")


def rank_correlation(column: str) -> float:
    """Return Table 2's Spearman rank correlation, -1 to 1, of a column of Table 1 with the runtime, over 21 rows."""
    chosen = [each for each in rows() if each.in_table_2]
    pairs = [(each.runtime_s, each.value(column)) for each in chosen]
    there = [(runtime, other) for runtime, other in pairs if runtime is not None and other is not None]
    found = spearman([runtime for runtime, _ in there], [other for _, other in there])
    assert found is not None
    return found
