"""Command: show the page of a search, made anew, of a pruning or of a league, or serve it while they go on."""

import contextlib
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from nas.config.report import DEFAULT_PORT, ReportConfig
from sr.command import DONE, Parser, run
from sr.terminal import say

if TYPE_CHECKING:
    from nas.report.shown import ShownPage


def main(argv: list[str] | None = None) -> int:
    """Write, show or serve a page; returns the exit code."""
    config = parse(argv)
    # Not at the top: --help answers without torch.
    from nas.report.shown import shown_page
    from sr.files import write_text

    page = shown_page(Path(config.run), config.storage)
    if config.serve:
        return _serve(page, config)
    content = page.build()
    path = page.path if config.out is None else Path(config.out)
    if page.is_made_anew or path != page.path:
        write_text(path, content)
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB, works offline")
    if config.open:
        _open(path.resolve().as_uri())
    return DONE


def _open(address: str) -> None:
    """Show a page in the browser, or say that there is none."""
    if not webbrowser.open(address):
        say(f"no browser is here to show it; open {address} in one")


def _serve(page: "ShownPage", config: ReportConfig) -> int:
    """Serve a page until Ctrl-C."""
    from sr.report.live import NotYetError, live_page

    # What is wrong speaks now, and not on the page.
    with contextlib.suppress(NotYetError):
        page.build()
    with live_page(page.build, page.stamp, config.port) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        say(f"serving the page of {config.run} at {address}, on this machine alone; Ctrl-C ends it")
        if config.open:
            _open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return DONE
    return DONE


def parse(argv: list[str] | None) -> ReportConfig:
    """Read the flags; raises InputError where one breaks its constraint."""
    parser = Parser(
        prog="python -m nas.report",
        description="Make the page of a search anew, or show that of a pruning or a league: one HTML file that works "
        "offline. While they go on, --serve shows it and keeps it fresh.",
        example="python -m nas.report runs/forty --open",
    )
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="the folder of a search, a pruning or a league, finished or not"
    )
    parser.add_argument("--open", action="store_true", help="show it in the browser")
    parser.add_argument("--serve", action="store_true", help="serve it on this machine alone, refreshing itself")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, metavar="N",
                        help=f"where --serve does, 0 for any that is free (default {DEFAULT_PORT})")  # fmt: skip
    parser.add_argument(
        "--storage", metavar="URL", help="database of the study, of a search that has one (default: the journal in RUN)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page (default: that in RUN)")
    args = parser.parse_args(argv)
    return ReportConfig(**vars(args))


if __name__ == "__main__":
    sys.exit(run(main))
