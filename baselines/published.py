"""What the challenge published: its Table 1 as rows, and the rank correlations of its Table 2.

Source: Zhang et al., "AIM 2020 Challenge on Efficient Super-Resolution: Methods and Results", ECCV Workshops 2020.
"""

import csv
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from sr.errors import InputError

Status = Literal["published", "unverified", "missing"]

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
ALSO_CORRELATED = frozenset({"SRRN", "AMAF-Net", "SPSR", "IMDN", "MSRResNet"})


@dataclass(frozen=True)
class Published:
    """One row of Table 1; None where no figure was published.

    PSNR in dB on DIV2K's validation and test pictures, runtime in seconds per picture, params and activations in
    millions, FLOPs in 1e9 multiply-adds by the challenge's own count, memory in MB; the counts and the memory for one
    256x256 LR picture. extra_data: trained on more than DIV2K. ranked: took part in the ranking.
    unverified: the columns whose figure is the team's own, not checked by the organisers.
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

    def value(self, column: str) -> float | None:
        """Return the figure in one of the columns of `PRINTED_UNIT`; InputError where it is none of them."""
        if column not in PRINTED_UNIT:
            raise InputError(f"a column of Table 1 is one of {', '.join(PRINTED_UNIT)}; got {column!r}")
        figure: float | None = getattr(self, column)
        return figure

    def status(self, column: str) -> Status:
        """Say whether the figure in `column` is the organisers', the team's own, or not there."""
        if self.value(column) is None:
            return "missing"
        return "unverified" if column in self.unverified else "published"


@functools.cache
def rows() -> tuple[Published, ...]:
    """Return the 27 rows in Table 1's order."""
    with Path(__file__).with_name("published.csv").open(encoding="utf-8", newline="") as handle:
        return tuple(parse(cells) for cells in csv.DictReader(handle))


def parse(cells: dict[str, str]) -> Published:
    """Turn one line of published.csv into a row."""
    figures = {column: float(cells[column]) if cells[column] else None for column in PRINTED_UNIT}
    return Published(
        team=cells["team"],
        system=cells["system"],
        extra_data={"yes": True, "no": False, "": None}[cells["extra_data"]],
        ranked=cells["ranked"] == "yes",
        unverified=frozenset(cells["unverified"].split()),
        **figures,
    )


def row(system: str) -> Published:
    """Return the row of the network called `system`, as Table 1 spells it; InputError where there is none."""
    for candidate in rows():
        if candidate.system == system:
            return candidate
    raise InputError(f"Table 1 has {', '.join(each.system for each in rows())}; got {system!r}")


def spearman(column: str) -> float:
    """Return Table 2's Spearman rank correlation, -1 to 1, of a column of Table 1 with the runtime, over 21 rows."""
    chosen = [each for each in rows() if each.ranked or each.system in ALSO_CORRELATED]
    ranks = pd.DataFrame(
        {"runtime": [each.runtime_s for each in chosen], "other": [each.value(column) for each in chosen]}
    ).rank()
    return float(ranks["runtime"].corr(ranks["other"]))
