"""Pareto figures: PSNR, runtime and activations of measured networks against each other."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import plotly.io

from sr.errors import InputError
from sr.files import StrPath, replacing
from sr.report.page import FONT, LEGEND, Kind, Point, digits, hover

# Okabe and Ito's palette: told apart also by colour-blind eyes.
BLUE, VERMILION, GREEN, INK, GREY, PALE = "#0072B2", "#D55E00", "#009E73", "#222222", "#8C8C8C", "#BDBDBD"
MARKERS: dict[Kind, dict[str, Any]] = {
    "infeasible": {"symbol": "cross-thin", "size": 7, "color": PALE, "line": {"width": 1.5, "color": PALE}},
    "candidate": {"symbol": "circle", "size": 7, "color": GREY},
    "reference": {"symbol": "diamond", "size": 11, "color": VERMILION, "line": {"width": 1, "color": "white"}},
    "front": {"symbol": "circle", "size": 10, "color": BLUE, "line": {"width": 1, "color": "white"}},
    "chosen": {"symbol": "star", "size": 20, "color": GREEN, "line": {"width": 1, "color": "white"}},
}  # in the order in which they are drawn: what matters most comes last and lies on top


@dataclass(frozen=True)
class Axis:
    """A quantity to plot: the field of Point that holds it, its name, its unit and one unit's size."""

    field: str
    name: str
    unit: str
    size: float = 1.0

    @property
    def title(self) -> str:
        """Return what stands beside the axis."""
        return f"{self.name} ({self.unit})"

    def of(self, point: Point) -> float:
        """Return the value to draw."""
        return float(getattr(point, self.field)) / self.size


RUNTIME = Axis("runtime_ms", "runtime", "ms")
PSNR = Axis("psnr", "PSNR", "dB")
_ACTIVATIONS = Axis("activations", "activations", "M", 1e6)
# A reference network this many times beyond all others is named at the edge instead of drawn.
_FAR = 3.0


def pareto_figure(points: Sequence[Point], budget_ms: float | None, *, height: int = 460) -> go.Figure:
    """Draw PSNR against runtime with p10-p90 bars, the front as steps, the chosen network and the budget.

    Args:
        points: The networks; those without a PSNR are left out.
        budget_ms: Where the budget lies; None for none.
        height: Of the figure, in pixels.

    Raises:
        InputError: Where no network has a PSNR.
    """
    figure = chart([point for point in points if point.psnr is not None], RUNTIME, PSNR, height=height)
    if budget_ms is not None:
        _draw_budget(figure, budget_ms)
    return figure


def runtime_figure(points: Sequence[Point], *, height: int = 340) -> go.Figure:
    """Draw runtime against activations of everything measured, both logarithmic."""
    figure = chart(points, _ACTIVATIONS, RUNTIME, height=height)
    figure.update_yaxes(**_log_axis([point.runtime_ms for point in points]))
    return figure


def chart(points: Sequence[Point], x: Axis, y: Axis, *, height: int) -> go.Figure:
    """Draw networks by kind with a logarithmic x, direct labels, and the front's steps where y is the PSNR.

    Reference networks far from all others would squeeze a linear y into a corner: the edge names them instead.

    Args:
        points: The networks, those without a value on x left out.
        x: What the x axis shows.
        y: What the y axis shows.
        height: Of the figure, in pixels.

    Raises:
        InputError: Where there is nothing to draw.
    """
    drawable = [point for point in points if x.of(point) > 0]
    near, far = _part_far(drawable, x) if y is PSNR else (drawable, [])
    if not near:
        raise InputError("a figure takes at least one network with a runtime and a PSNR, got none")
    figure = go.Figure()
    if y is PSNR:
        figure.add_trace(_front_steps(near, x))
    for kind in MARKERS:
        same = [point for point in near if point.kind == kind]
        if same:
            figure.add_trace(_scatter(same, kind, x, y))
    figure.update_layout(
        height=height,
        font={"family": FONT, "size": 13, "color": INK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin={"l": 62, "r": 20, "t": 28, "b": 50},
        showlegend=False,
        hoverlabel={"bgcolor": "white", "font": {"family": FONT, "size": 13}},
    )
    line = {"gridcolor": "#ECECEC", "zeroline": False, "linecolor": "#999999", "ticks": "outside"}
    figure.update_xaxes(title=x.title, **line, **_log_axis([x.of(point) for point in near]))
    figure.update_yaxes(title=y.title, **line)
    if y is PSNR:
        _leave_out_low(figure, near)
    for point in near:
        _add_label(figure, point, x, y)
    for row, point in enumerate(far):
        _add_edge_note(figure, point, x, row)
    return figure


def _leave_out_low(figure: go.Figure, points: Sequence[Point]) -> None:
    """End the PSNR axis below the front, and say how many candidates lie lower: one that failed to learn is enough."""
    that_count = [PSNR.of(point) for point in points if point.kind in ("front", "chosen", "reference")]
    everything = [PSNR.of(point) for point in points]
    low, high = min(that_count or everything), max(everything)
    span = max(high - low, 0.02)
    low, high = max(low - span, min(everything) - 0.1 * span), high + 0.15 * span
    figure.update_yaxes(range=[low, high])
    hidden = sum(value < low for value in everything)
    if hidden:
        figure.add_annotation(
            xref="paper", yref="paper", x=0.005, y=0.01, xanchor="left", yanchor="bottom", showarrow=False,
            text=f"\N{DOWNWARDS ARROW} {hidden} more below", font={"color": GREY},
        )  # fmt: skip


def _part_far(points: Sequence[Point], x: Axis) -> tuple[list[Point], list[Point]]:
    """Part `points` into those to draw and the reference networks that lie over FAR times outside all others."""
    own = [x.of(point) for point in points if point.kind != "reference"] or [x.of(point) for point in points]
    low, high = min(own, default=0) / _FAR, max(own, default=0) * _FAR
    far = [point for point in points if not low <= x.of(point) <= high]
    return [point for point in points if point not in far], far


def _scatter(points: Sequence[Point], kind: Kind, x: Axis, y: Axis) -> go.Scatter:
    """Return the markers of one kind, with the spread of the runtime where x is the runtime."""
    bars = {}
    if x is RUNTIME:
        bars["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [point.runtime_p90 - point.runtime_ms for point in points],
            "arrayminus": [point.runtime_ms - point.runtime_p10 for point in points],
            "color": MARKERS[kind]["color"],
            "thickness": 1,
            "width": 3,
        }
    if y is PSNR and any(point.psnr_spread for point in points):
        spreads = [point.psnr_spread for point in points]
        bars["error_y"] = {
            "type": "data",
            "array": spreads,
            "color": MARKERS[kind]["color"],
            "thickness": 1,
            "width": 3,
        }
    return go.Scatter(
        x=[x.of(point) for point in points],
        y=[y.of(point) for point in points],
        mode="markers",
        name=LEGEND[kind],
        marker=MARKERS[kind],
        hovertext=[hover(point) for point in points],
        hoverinfo="text",
        **bars,
    )


def _front_steps(points: Sequence[Point], x: Axis) -> go.Scatter:
    """Return the step line under which every network of the front lies: the best PSNR to be had up to each x."""
    corners: list[tuple[float, float]] = []
    for point in sorted((p for p in points if p.kind in ("front", "chosen")), key=x.of):
        if not corners or PSNR.of(point) > corners[-1][1]:
            corners.append((x.of(point), PSNR.of(point)))
    return go.Scatter(
        x=[corner[0] for corner in corners],
        y=[corner[1] for corner in corners],
        mode="lines",
        line={"shape": "hv", "color": BLUE, "width": 2},
        hoverinfo="skip",
    )


def _add_label(figure: go.Figure, point: Point, x: Axis, y: Axis) -> None:
    """Name the chosen network above its marker, where a front is empty, and a reference network below."""
    if point.kind not in ("chosen", "reference"):
        return
    name, chosen = html.escape(point.label), point.kind == "chosen"
    low, high = figure.layout.xaxis.range
    left = chosen or math.log10(x.of(point)) > low + 0.7 * (high - low)
    figure.add_annotation(
        x=math.log10(x.of(point)),
        y=math.log10(y.of(point)) if y is RUNTIME else y.of(point),
        text=f"<b>{name}</b>" if chosen else name,
        showarrow=False,
        xanchor="right" if left else "left",
        yanchor="bottom" if chosen else "top",
        xshift=-6 if left else 5,
        yshift=5 if chosen else -3,
        font={"color": GREEN if chosen else VERMILION},
    )


def _add_edge_note(figure: go.Figure, point: Point, x: Axis, row: int) -> None:
    """Name, in line `row`, a network beyond the edge, in the corners that a front leaves free."""
    right = math.log10(x.of(point)) > figure.layout.xaxis.range[1]
    text = f"{html.escape(point.label)}: {PSNR.of(point):.2f} dB at {digits(x.of(point))} {x.unit}"
    figure.add_annotation(
        xref="paper",
        yref="paper",
        x=0.995 if right else 0.005,
        y=0.01 if right else 0.99,
        yshift=18 * row if right else -18 * row,
        text=f"{text} \N{RIGHTWARDS ARROW}" if right else f"\N{LEFTWARDS ARROW} {text}",
        showarrow=False,
        xanchor="right" if right else "left",
        yanchor="bottom" if right else "top",
        font={"color": VERMILION},
    )


def _draw_budget(figure: go.Figure, budget_ms: float) -> None:
    """Draw the budget as a dashed line and shade what exceeds it; widen the x axis where the line lies outside."""
    low, high = figure.layout.xaxis.range
    at = math.log10(budget_ms)
    low, high = min(low, at - 0.05), max(high, at + 0.1)
    figure.update_xaxes(range=[low, high])
    figure.add_shape(
        type="rect", xref="x", yref="paper", x0=budget_ms, x1=10**high, y0=0, y1=1,
        fillcolor=VERMILION, opacity=0.06, line_width=0, layer="below",
    )  # fmt: skip
    dashes = {"color": VERMILION, "width": 1.5, "dash": "dash"}
    figure.add_shape(type="line", yref="paper", x0=budget_ms, x1=budget_ms, y0=0, y1=1, line=dashes, layer="below")
    figure.add_annotation(
        x=at, xref="x", y=1, yref="paper", text=f"budget {budget_ms:g} ms", showarrow=False,
        xanchor="center", yanchor="bottom", font={"color": VERMILION},
    )  # fmt: skip


def _log_axis(values: Sequence[float]) -> dict[str, Any]:
    """Return the settings of a logarithmic axis around `values` (> 0) with ticks at 1, 2 and 5 of each decade."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(0.05, 0.06 * (high - low))
    low, high = low - margin, high + margin
    decades = range(math.floor(low), math.ceil(high) + 1)
    # Ticks of our own: plotly's label the minor ones by a bare "2" and "5", which is misread.
    ticks = [mantissa * 10.0**decade for decade in decades for mantissa in _tick_mantissas(high - low)]
    return {"type": "log", "range": [low, high], "tickvals": ticks, "ticktext": [f"{tick:,g}" for tick in ticks]}


def _tick_mantissas(decades: float) -> tuple[float, ...]:
    """Return which multiples of a power of ten to tick on an axis that spans so many decades."""
    if decades < 0.7:
        return (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
    return (1, 2, 3, 5, 7) if decades < 1.2 else (1, 2, 5) if decades < 4 else (1,)


def write_png(figure: go.Figure, path: StrPath, width: int = 1000, height: int = 600) -> bool:
    """Write a figure as a PNG.

    Args:
        figure: What to draw.
        path: The file.
        width: In pixels.
        height: In pixels.

    Returns:
        False where no kaleido or no working Chrome is there, and no file was written.
    """
    try:
        import kaleido
        from choreographer.errors import BrowserClosedError, BrowserDepsError, BrowserFailedError, ChromeNotFoundError
    except ImportError:
        return False
    try:
        # Without mathjax=False it would fetch MathJax from the network.
        picture = kaleido.calc_fig_sync(
            figure,
            opts={"format": "png", "width": width, "height": height},
            kopts={"mathjax": False, "timeout": 60},
        )
    except (ChromeNotFoundError, BrowserDepsError, BrowserFailedError, BrowserClosedError, TimeoutError):
        return False
    with replacing(path) as temporary:
        temporary.write_bytes(picture)
    return True


def embedded(figure: go.Figure, *, first: bool = False) -> str:
    """Return a figure as a fragment of HTML; the first one of a page brings plotly.js along."""
    config = {"displayModeBar": False, "responsive": True}
    tall = f"{figure.layout.height}px"
    fragment = plotly.io.to_html(figure, full_html=False, include_plotlyjs=first, config=config, default_height=tall)
    return str(fragment)
