"""Command: the challenge's Table 1 and Table 2, measured on this device beside the published figures."""

import sys
from pathlib import Path

from baselines.config import ALL, TableConfig
from sr.command import DONE, INTERRUPTED, Parser, command_line, run
from sr.constraints import AUTO, DTYPE_NAMES, ENGINE_NAMES
from sr.files import write_json
from sr.lr_size import parse_size
from sr.terminal import Terminal, say


def main(argv: list[str] | None = None) -> int:
    """Count, measure, correlate and say what came of it; returns the exit code."""
    config = parse(argv)
    from baselines.challenge_table.between_engines import engine_lines
    from baselines.challenge_table.cells import table_1_lines, table_2_lines
    from baselines.challenge_table.tables import make_tables
    from sr.checkpoint import provenance

    try:
        tables = make_tables(config, report=Terminal())
    except KeyboardInterrupt:
        if config.counts_only:
            raise
        say(f"interrupted; the rows so far are in {config.out}, and the same command goes on", to_stderr=True)
        return INTERRUPTED
    only = next(iter(tables.records.values())) if len(tables.records) == 1 else None
    say("\n".join(table_1_lines(tables.rows, only)))
    if tables.between:
        say("\n" + "\n".join(engine_lines(tables.rows, tables.records, tables.between)))
    for engine, record in tables.records.items():
        say("\n" + "\n".join(table_2_lines(tables.rows, record, tables.correlations[engine])))
    if config.html:
        # Here, as only a page needs plotly.
        from baselines.challenge_table.page import write_page

        write_page(config.html, tables)
    if config.json:
        figures = tables.to_json()
        if not config.counts_only:
            figures |= {"date": provenance()["date"], "command": command_line("baselines.table", argv)}
        write_json(config.json, figures)
    return DONE


def parse(argv: list[str] | None) -> TableConfig:
    """Read the command line; raises InputError where a value breaks its constraint."""
    parser = Parser(
        prog="python -m baselines.table",
        description="Measure the systems of the AIM 2020 challenge, and those since, beside the published figures.",
        example="python -m baselines.table --systems rfdn,imdn,msrresnet --engine all --html table.html",
    )
    parser.add_argument("--systems", metavar="A,B", help="only these, by system or baseline (default: all)")
    parser.add_argument("--lr-size", default="256x256", metavar="WxH", help="of the runtime (default 256x256)")
    parser.add_argument("--lr-sizes", type=Path, metavar="FILE",
                        help="CSV of width,height: frames for the challenge's protocol (default DIV2K's 100 test "
                        "pictures); implies --protocol challenge")  # fmt: skip
    parser.add_argument("--protocol", choices=("steady", "challenge"), default="steady",
                        help="steady: the median at --lr-size; challenge: also the best of three passes over the "
                        "frames (default steady)")  # fmt: skip
    parser.add_argument("--dtype", choices=DTYPE_NAMES, default="float32", help="default float32")
    parser.add_shared("execution")
    parser.add_argument("--engine", default=AUTO, metavar="A,B",
                        help=f"what runs the networks: of {', '.join(ENGINE_NAMES)}, several with commas between, "
                        f"which are compared; {ALL}: every one that is installed; {AUTO} (default): the fastest of "
                        "those that run what is shipped")  # fmt: skip
    parser.add_argument("--counts-only", action="store_true", help="count, and measure nothing")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page with the tables and figures")
    parser.add_shared("device", "out", "json", out="runs/table")
    args = parser.parse_args(argv)
    chosen = None if args.systems is None else [name.strip() for name in args.systems.split(",")]
    return TableConfig(
        systems=None if chosen is None else tuple(name for name in chosen if name),
        counts_only=args.counts_only,
        device=args.device,
        lr_size=parse_size(args.lr_size),
        dtype=args.dtype,
        execution=args.execution,
        engine=tuple(name.strip() for name in args.engine.split(",")),
        challenge=args.protocol == "challenge" or args.lr_sizes is not None,
        frames=args.lr_sizes,
        out=args.out,
        html=args.html,
        json=args.json,
    )


if __name__ == "__main__":
    sys.exit(run(main))
