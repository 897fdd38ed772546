"""Command: make the page of a search anew, show it, or serve it while the search goes on."""

import sys
import webbrowser
from pathlib import Path

from nas.config.report import DEFAULT_PORT, ReportConfig
from sr.command import DONE, Parser, run
from sr.terminal import say


def main(argv: list[str] | None = None) -> int:
    """Write or serve the page of a search; returns the exit code."""
    config = parse(argv)
    # Not at the top: --help answers without torch.
    from nas.report.page import PAGE, search_page
    from nas.report.run import load_run
    from sr.files import write_text

    folder = Path(config.run)
    if config.serve:
        return _serve(config)
    path = folder / PAGE if config.out is None else Path(config.out)
    write_text(path, search_page(load_run(folder, config.storage)))
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB, works offline")
    if config.open:
        webbrowser.open(path.resolve().as_uri())
    return DONE


def _serve(config: ReportConfig) -> int:
    """Serve the page until Ctrl-C."""
    from nas.report.page import search_page
    from nas.report.run import load_run, stamp_of
    from sr.report.live import live_page

    folder = Path(config.run)
    # What is wrong speaks now, and not on the page.
    load_run(folder, config.storage)
    with live_page(
        lambda: search_page(load_run(folder, config.storage)), lambda: stamp_of(folder, config.storage), config.port
    ) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        say(f"serving {folder} at {address}, on this machine alone; Ctrl-C ends it")
        if config.open:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return DONE
    return DONE


def parse(argv: list[str] | None) -> ReportConfig:
    """Read the flags; raises InputError where one breaks its constraint."""
    parser = Parser(
        prog="python -m nas.report",
        description="Make the page of a search anew: one HTML file that works offline. While the search goes on, "
        "--serve shows it and keeps it fresh.",
        example="python -m nas.report runs/forty --open",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a search, finished or not")
    parser.add_argument("--open", action="store_true", help="show it in the browser")
    parser.add_argument("--serve", action="store_true", help="serve it on this machine alone, refreshing itself")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, metavar="N",
                        help=f"where --serve does, 0 for any that is free (default {DEFAULT_PORT})")  # fmt: skip
    parser.add_argument("--storage", metavar="URL", help="database of the study (default: the journal in RUN)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page (default: pareto.html in RUN)")
    args = parser.parse_args(argv)
    return ReportConfig(**vars(args))


if __name__ == "__main__":
    sys.exit(run(main))
