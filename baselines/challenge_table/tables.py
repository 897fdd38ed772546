"""Both tables: counted, measured and correlated as a config asks, gone on with where it was interrupted."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from baselines.challenge_table.between_engines import Between, between_engines
from baselines.challenge_table.cells import place_lines
from baselines.challenge_table.correlation import Correlation, correlations
from baselines.challenge_table.frames import DIV2K_TEST, read_sizes
from baselines.challenge_table.record import Record, open_record
from baselines.challenge_table.rows import Row, table_rows
from baselines.challenge_table.runtimes import (
    PROTOCOL,
    challenge_names,
    challenge_seconds,
    measure_challenge,
    measure_steady,
)
from baselines.config import ALL, TableConfig
from sr.errors import InputError
from sr.measure.engine_choice import with_engine
from sr.measure.engines.registry import usable
from sr.measure.latency import Protocol
from sr.measure.target import Target
from sr.progress import Message, Report, duration, no_report


@dataclass(frozen=True)
class Tables:
    """What was counted and measured.

    Attributes:
        rows: Of Table 1, then the systems that are none of it.
        records: Their runtimes by engine; empty where only counts were asked for.
        correlations: Table 2 by engine.
        between: How the engines compare in pairs; empty for one.
    """

    rows: tuple[Row, ...]
    records: Mapping[str, Record] = field(default_factory=dict)
    correlations: Mapping[str, tuple[Correlation, ...]] = field(default_factory=dict)
    between: tuple[Between, ...] = ()

    def to_json(self) -> Any:  # noqa: ANN401 - JSON values
        """Return JSON values: the rows as a list where only counts were asked for, else everything by name."""
        rows = [row.to_json() for row in self.rows]
        if not self.records:
            return rows
        engines = {}
        for engine, record in self.records.items():
            kept = record.to_json()
            asked = {row.name: kept["rows"][row.name] for row in self.rows if row.name in kept["rows"]}
            table_2 = [asdict(each) for each in self.correlations[engine]]
            engines[engine] = {**kept, "rows": asked, "correlations": table_2}
        return {"rows": rows, "engines": engines, "between_engines": [asdict(each) for each in self.between]}


def make_tables(config: TableConfig, *, protocol: Protocol = PROTOCOL, report: Report = no_report) -> Tables:
    """Count, measure and correlate the systems that are asked for.

    Every row is in `config.record` of its engine as soon as it is measured, and the same call goes on from there.

    Args:
        config: What is asked for.
        protocol: How long and how often each network is timed.
        report: Is told what is measured, on what, and how far it has come.

    Raises:
        InputError: Where a system, a size, a device or an engine is none, or a record is of other conditions.
    """
    target = Target.of(config.device, config.lr_size, config.dtype, execution=config.execution, report=report)
    frames = read_sizes(config.frames or DIV2K_TEST) if config.challenge else ()
    # First, as counting takes seconds.
    targets = [] if config.counts_only else _in_engines(target, config, report)
    rows = tuple(table_rows(config.systems))
    if config.counts_only:
        return Tables(rows)
    records = {each.engine: open_record(config.record(each.engine), each.conditions, frames) for each in targets}
    for record in records.values():
        for line in place_lines(record):
            report(Message(line))
    names = [row.name for row in rows if row.name is not None]
    records = measure_steady(names, records, targets, protocol=protocol, report=report)
    for each in targets:
        if frames and (lacking := challenge_names(names, records[each.engine])):
            left = duration(challenge_seconds(lacking, records[each.engine]))
            report(Message(f"the challenge's protocol over {len(frames)} frames in {each.engine} takes about {left}"))
            records[each.engine] = measure_challenge(lacking, records[each.engine], each, report=report)
    table_2 = {engine: tuple(correlations(rows, record.rows)) for engine, record in records.items()}
    return Tables(rows, records, table_2, tuple(between_engines(_asked(records, names))))


def _in_engines(target: Target, config: TableConfig, report: Report) -> list[Target]:
    """Return the target in every engine that is asked for."""
    if config.engine == (ALL,):
        found = usable(target)
        if not found:
            raise InputError(f"no engine that is installed runs {target.dtype} on {target.device}; use another --dtype")
        report(Message(f"engines {', '.join(each.engine for each in found)}: all that run {target.dtype} here"))
        return found
    return [with_engine(target, engine, report=report) for engine in config.engine]


def _asked(records: Mapping[str, Record], names: Sequence[str]) -> dict[str, Record]:
    """Return the records with only the rows of these networks: what is kept may be of more than is asked for."""
    return {engine: record.with_only(names) for engine, record in records.items()}
