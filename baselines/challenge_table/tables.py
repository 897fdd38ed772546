"""Both tables: counted, measured and correlated as a config asks, gone on with where it was interrupted."""

from dataclasses import asdict, dataclass
from typing import Any

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
from baselines.config import TableConfig
from sr.measure.latency import Protocol
from sr.measure.target import Target
from sr.progress import Message, Report, duration, no_report


@dataclass(frozen=True)
class Tables:
    """What was counted and measured.

    Attributes:
        rows: Of Table 1, then the systems that are none of it.
        record: Their runtimes; None where only counts were asked for.
        correlations: Table 2; empty where there are no runtimes.
    """

    rows: tuple[Row, ...]
    record: Record | None = None
    correlations: tuple[Correlation, ...] = ()

    def to_json(self) -> Any:  # noqa: ANN401 - JSON values
        """Return JSON values: the rows as a list where only counts were asked for, else everything by name."""
        if self.record is None:
            return [row.to_json() for row in self.rows]
        kept = self.record.to_json()
        return {
            "conditions": kept["conditions"],
            "frames": kept["frames"],
            "rows": [{**row.to_json(), "measured": kept["rows"].get(row.name or "")} for row in self.rows],
            "correlations": [asdict(each) for each in self.correlations],
        }


def make_tables(config: TableConfig, *, protocol: Protocol = PROTOCOL, report: Report = no_report) -> Tables:
    """Count, measure and correlate the systems that are asked for.

    Every row is in `config.record` as soon as it is measured, and the same call goes on from there.

    Args:
        config: What is asked for.
        protocol: How long and how often each network is timed.
        report: Is told what is measured, on what, and how far it has come.

    Raises:
        InputError: Where a system, a size or a device is none, or the record is of other conditions.
    """
    target = Target.of(config.device, config.lr_size, config.dtype)
    frames = read_sizes(config.frames or DIV2K_TEST) if config.challenge else ()
    rows = tuple(table_rows(config.systems))
    if config.counts_only:
        return Tables(rows)
    record = open_record(config.record, target.conditions, frames)
    for line in place_lines(record):
        report(Message(line))
    names = [row.name for row in rows if row.name is not None]
    record = measure_steady(names, record, target, protocol=protocol, report=report)
    if frames and (lacking := challenge_names(names, record)):
        left = duration(challenge_seconds(lacking, record))
        report(Message(f"the challenge's protocol over {len(frames)} frames takes about {left}"))
        record = measure_challenge(lacking, record, target, report=report)
    return Tables(rows, record, tuple(correlations(rows, record.rows)))
