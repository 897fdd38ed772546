"""Command: the challenge's Table 1 and Table 2, measured on this device beside the published figures."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from baselines.correlation import Correlation, correlations
from baselines.frames import DIV2K_TEST, read_sizes
from baselines.rows import Row, table_rows
from baselines.runtimes import (
    Record,
    challenge_names,
    challenge_seconds,
    measure_challenge,
    measure_steady,
    open_record,
)
from baselines.table_page import (
    LEGEND,
    aligned,
    cells,
    correlation_cells,
    correlation_headings,
    headings,
    place_lines,
    summary,
    write_page,
)
from sr.command import DONE, INTERRUPTED, Parser, device, run, say
from sr.deployment import DTYPES
from sr.errors import InputError
from sr.files import write_json
from sr.latency import conditions
from sr.lr_size import parse_size
from sr.progress import duration


def main(argv: list[str] | None = None) -> int:
    """Count, measure, correlate and report; returns the exit code."""
    args = parse(argv)
    rows = table_rows(args.systems)
    if args.counts_only:
        say_table(rows, None)
        if args.json:
            write_json(args.json, [row.to_json() for row in rows])
        return DONE
    place = conditions(args.device, args.lr_size, args.dtype)
    record = open_record(args.out / "rows.json", place, args.frames)
    try:
        record = measure(rows, record, args)
    except KeyboardInterrupt:
        say(f"interrupted; the rows so far are in {record.path}, and the same command goes on", to_stderr=True)
        return INTERRUPTED
    report(rows, record, args)
    return DONE


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; raises InputError where a value breaks its law."""
    parser = Parser(
        prog="python -m baselines.table",
        description="Measure the systems of the AIM 2020 challenge, and those since, beside the published figures.",
        example="python -m baselines.table --systems rfdn,imdn,msrresnet --html table.html",
    )
    parser.add_argument("--systems", metavar="A,B", help="only these, by system or baseline (default: all)")
    parser.add_argument("--lr-size", default="256x256", metavar="WxH", help="of the runtime (default 256x256)")
    parser.add_argument("--lr-sizes", type=Path, metavar="FILE",
                        help="CSV of width,height: frames for the challenge's protocol (default DIV2K's 100 test "
                        "pictures); implies --protocol challenge")  # fmt: skip
    parser.add_argument("--protocol", choices=("steady", "challenge"), default="steady",
                        help="steady: the median at --lr-size; challenge: also the best of three passes over the "
                        "frames (default steady)")  # fmt: skip
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="float32", help="default float32")
    parser.add_argument("--counts-only", action="store_true", help="count, and measure nothing")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page with the tables and figures")
    parser.add_shared("device", "out", "json", out="runs/table")
    args = parser.parse_args(argv)
    args.device = device(str(args.device))
    args.lr_size = parse_size(args.lr_size)
    if args.systems is not None:
        args.systems = [name.strip() for name in args.systems.split(",") if name.strip()]
    if args.counts_only and args.html:
        raise InputError("--html draws runtimes, and --counts-only measures none; leave one of them out")
    challenge = args.protocol == "challenge" or args.lr_sizes is not None
    args.frames = read_sizes(args.lr_sizes or DIV2K_TEST) if challenge else ()
    return args


def measure(rows: Sequence[Row], record: Record, args: argparse.Namespace) -> Record:
    """Measure every row that the record does not hold."""
    names = [row.name for row in rows if row.name is not None]
    for line in place_lines(record):
        say(line)
    record = measure_steady(names, record, args.device)
    if args.frames and (lacking := challenge_names(names, record)):
        seconds = challenge_seconds(lacking, record)
        say(f"the challenge's protocol over {len(args.frames)} frames takes about {duration(seconds)}")
        record = measure_challenge(lacking, record, args.device)
    return record


def report(rows: Sequence[Row], record: Record, args: argparse.Namespace) -> None:
    """Say the tables and write what was asked for."""
    found = correlations(rows, record.rows)
    say_table(rows, record)
    say("\nTable 2: Spearman's rank correlation with the runtime")
    for line in aligned(correlation_headings(rows, record.rows), [correlation_cells(each) for each in found]):
        say(line)
    if args.html:
        write_page(args.html, rows, record, found)
    if args.json:
        write_json(args.json, as_json(rows, record, found))


def say_table(rows: Sequence[Row], record: Record | None) -> None:
    """Say Table 1, and under it what needs saying of its rows."""
    say(LEGEND)
    lines = [cells(row, record) for row in rows]
    for line in aligned(headings(record)[:-1], [line[:-1] for line in lines]):
        say(line)
    for system, *_, note in lines:
        if note:
            say(f"{system}: {note}")
    say(summary(rows))


def as_json(rows: Sequence[Row], record: Record, found: Sequence[Correlation]) -> dict[str, object]:
    """Return everything that the tables hold as JSON values."""
    kept = record.to_json()
    lines = [{**row.to_json(), "measured": kept["rows"].get(row.name or "")} for row in rows]
    return {
        "conditions": kept["conditions"],
        "frames": kept["frames"],
        "rows": lines,
        "correlations": [asdict(each) for each in found],
    }


if __name__ == "__main__":
    sys.exit(run(main))
