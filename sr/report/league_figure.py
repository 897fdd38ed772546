"""The figure of a league: networks that were designed by hand, searched and pruned, each named."""

import html
import math
from collections.abc import Sequence
from dataclasses import replace

import plotly.graph_objects as go

from sr.report.figures import MARKERS, PSNR, pareto_figure
from sr.report.label_layout import part_labels
from sr.report.page import LEGEND, SYMBOLS, Kind, Point

# What stands for where a network comes from.
_KINDS: dict[str, Kind] = {"hand-designed": "reference", "searched": "chosen", "pruned": "front"}
# What the largest marker takes, in pixels; a star reaches farther than its size.
_LARGEST_MARKER = 22.0


def league_figure(points: Sequence[tuple[str, Point]], budget_ms: float, *, height: int = 560) -> go.Figure:
    """Draw PSNR against runtime with the spread of both, the budget, and every name that there is room for.

    Args:
        points: Where each network comes from, and the network, with a PSNR.
        budget_ms: Where the budget lies.
        height: Of the figure, in pixels.

    Raises:
        InputError: Where there is none.
    """
    drawn = [replace(point, kind=_KINDS[origin]) for origin, point in points]
    figure = pareto_figure(drawn, budget_ms, height=height)
    # A line from the best to the best is a search's.
    figure.update_traces(visible=False, selector={"mode": "lines"})
    for origin, kind in _KINDS.items():
        for trace in figure.data:
            if trace.name == LEGEND[kind]:
                trace.hovertext = [text.replace(f"({LEGEND[kind]})", f"({origin})", 1) for text in trace.hovertext]
    for origin, point in points:
        if origin == "pruned":
            at = {"x": math.log10(point.runtime_ms), "y": PSNR.of(point)}
            figure.add_annotation(**at, text=html.escape(point.label), font_color=MARKERS["front"]["color"])
    part_labels(figure, marker=_LARGEST_MARKER)
    return figure


def league_key(origins: Sequence[str]) -> str:
    """Return what the symbols mean, as HTML, for those origins that are drawn."""
    words = [
        f'<span><b style="color:{MARKERS[kind]["color"]}">{SYMBOLS[kind]}</b> {origin}</span>'
        for origin, kind in _KINDS.items()
        if origin in origins
    ]
    return "".join(words) + "<span>bars: 10th to 90th percentile, and the standard deviation over seeds</span>"
