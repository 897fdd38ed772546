"""The same networks in several engines: how their runtimes compare, and whether they rank alike."""

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from baselines.challenge_table.cells import aligned
from baselines.challenge_table.record import Measured, Record
from baselines.challenge_table.rows import Row
from sr.rank_correlation import kendall_tau, spearman
from sr.report.page import digits


@dataclass(frozen=True)
class Between:
    """How runtimes in one engine stand to those in another, over the networks that ran in both.

    Attributes:
        engine: The one.
        other: The other.
        networks: How many ran in both.
        ratio: The median of the runtimes in `engine` over those in `other`; None where none ran in both.
        lowest: The lowest of these ratios.
        highest: The highest.
        spearman: Spearman's rank correlation of the runtimes, -1 to 1; None where there is nothing to correlate.
        kendall: Kendall's, likewise.
    """

    engine: str
    other: str
    networks: int
    ratio: float | None
    lowest: float | None
    highest: float | None
    spearman: float | None
    kendall: float | None


def between_engines(records: Mapping[str, Record]) -> list[Between]:
    """Compare the engines of some records in pairs, each with those named before it."""
    return [_between(engine, other, records) for other, engine in itertools.combinations(records, 2)]


def _between(engine: str, other: str, records: Mapping[str, Record]) -> Between:
    times = [(_ms(records[engine], name), _ms(records[other], name)) for name in records[engine].rows]
    both = [(one, two) for one, two in times if one is not None and two is not None]
    ratios = [one / two for one, two in both]
    ours, theirs = [one for one, _ in both], [two for _, two in both]
    if not ratios:
        return Between(engine, other, 0, None, None, None, None, None)
    median = statistics.median(ratios)
    ranks = spearman(ours, theirs), kendall_tau(ours, theirs)
    return Between(engine, other, len(both), median, min(ratios), max(ratios), *ranks)


def _ms(record: Record, name: str | None) -> float | None:
    """Return the median runtime of a baseline; None where there is none."""
    measured = record.rows.get(name or "", Measured())
    return None if measured.measurement is None else measured.measurement.runtime.median_ms


def runtime_headings(records: Mapping[str, Record]) -> tuple[str, ...]:
    """Return the headings of the table of runtimes in all engines; the ratios are to the first of them."""
    first, *others = records
    frames = [f"{name}, {len(record.frames)} frames (ms)" for name, record in records.items() if record.frames]
    return ("network", *(f"{name} (ms)" for name in records), *(f"{name} / {first}" for name in others), *frames)


def runtime_cells(row: Row, records: Mapping[str, Record]) -> tuple[str, ...]:
    """Return one line of that table, in the order of the headings."""
    first, *others = records
    measured = {name: record.rows.get(row.name or "", Measured()) for name, record in records.items()}
    ours = _ms(records[first], row.name)
    ratios = [(_ms(records[name], row.name), ours) for name in others]
    frames = [measured[name].challenge_ms for name, record in records.items() if record.frames]
    return (
        row.system,
        *(_runtime_cell(each) for each in measured.values()),
        *("-" if one is None or two is None else f"{one / two:.2f}" for one, two in ratios),
        *("-" if each is None else digits(each) for each in frames),
    )


def _runtime_cell(measured: Measured) -> str:
    """Return a median, marked where it is unsteady."""
    if measured.measurement is None:
        return "-"
    runtime = measured.measurement.runtime
    return digits(runtime.median_ms) + ("" if runtime.reliable else " ?")


def problems(rows: Sequence[Row], records: Mapping[str, Record]) -> list[str]:
    """Return a line for every network that an engine did not run, or not through all of it."""
    return [
        f"{row.system} in {engine}: {measured.problem}"
        for row in rows
        for engine, record in records.items()
        if (measured := record.rows.get(row.name or "", Measured())).problem
    ]


BETWEEN_HEADINGS = ("engines", "networks", "ratio", "lowest", "highest", "Spearman", "Kendall")


def between_cells(found: Between) -> tuple[str, ...]:
    """Return one line of the table of pairs of engines."""
    ratios = ("-" if each is None else f"{each:.2f}" for each in (found.ratio, found.lowest, found.highest))
    ranks = ("-" if each is None else f"{each:.4f}" for each in (found.spearman, found.kendall))
    return (f"{found.engine} / {found.other}", str(found.networks), *ratios, *ranks)


def engine_lines(rows: Sequence[Row], records: Mapping[str, Record], found: Sequence[Between]) -> list[str]:
    """Return the runtimes in all engines, what could not run, and how the engines compare, as lines of text."""
    return [
        "Runtimes in every engine; ? unsteady",
        *aligned(runtime_headings(records), [runtime_cells(row, records) for row in rows]),
        *problems(rows, records),
        "",
        "Between engines: the runtime in one over that in the other, and the correlation of their ranks",
        *aligned(BETWEEN_HEADINGS, [between_cells(each) for each in found]),
    ]
