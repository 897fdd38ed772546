"""Pareto figures and the page that holds them; the only importer of plotly."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import plotly.io
import plotly.subplots

from sr.errors import InputError
from sr.files import replacing, write_text
from sr.page import FONT, SYMBOLS, WORDS, Kind, Point, digits, document, front_table, hover, rank_correlation, section

__all__ = [
    "Kind",
    "Point",
    "activations_figure",
    "arms_figure",
    "before_after_figure",
    "kept_figure",
    "pareto_figure",
    "pareto_page",
    "runtime_figure",
    "write_png",
]

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
ACTIVATIONS = Axis("activations", "activations", "M", 1e6)
# A reference network this many times beyond all others is told of at the edge instead of drawn.
FAR = 3.0


def pareto_figure(points: Sequence[Point], budget_ms: float | None, *, height: int = 460) -> go.Figure:
    """Draw PSNR against runtime with p10-p90 bars, the front as steps, the chosen network and the budget."""
    figure = chart([point for point in points if point.psnr is not None], RUNTIME, PSNR, height=height)
    if budget_ms is not None:
        draw_budget(figure, budget_ms)
    return figure


def activations_figure(points: Sequence[Point], *, height: int = 340) -> go.Figure:
    """Draw PSNR against activations, the count that predicts runtime best."""
    return chart([point for point in points if point.psnr is not None], ACTIVATIONS, PSNR, height=height)


def runtime_figure(points: Sequence[Point], *, height: int = 340) -> go.Figure:
    """Draw runtime against activations of everything measured, both logarithmic."""
    figure = chart(points, ACTIVATIONS, RUNTIME, height=height)
    figure.update_yaxes(**log_axis([point.runtime_ms for point in points]))
    return figure


def chart(points: Sequence[Point], x: Axis, y: Axis, *, height: int) -> go.Figure:
    """Draw `points` by kind with a logarithmic x, direct labels, and the front's steps where y is the PSNR.

    Reference networks far from all others would squeeze a linear y into a corner: the edge names them instead.
    """
    drawable = [point for point in points if x.of(point) > 0]
    near, far = part_far(drawable, x) if y is PSNR else (drawable, [])
    if not near:
        raise InputError("a figure takes at least one network with a runtime and a PSNR, got none")
    figure = go.Figure()
    if y is PSNR:
        figure.add_trace(front_steps(near, x))
    for kind in MARKERS:
        same = [point for point in near if point.kind == kind]
        if same:
            figure.add_trace(scatter(same, kind, x, y))
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
    figure.update_xaxes(title=x.title, **line, **log_axis([x.of(point) for point in near]))
    figure.update_yaxes(title=y.title, **line)
    if y is PSNR:
        leave_out_low(figure, near)
    for point in near:
        add_label(figure, point, x, y)
    for row, point in enumerate(far):
        add_edge_note(figure, point, x, row)
    return figure


def leave_out_low(figure: go.Figure, points: Sequence[Point]) -> None:
    """End the PSNR axis below the front, and tell how many candidates lie lower: one that failed to learn is enough."""
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


def part_far(points: Sequence[Point], x: Axis) -> tuple[list[Point], list[Point]]:
    """Part `points` into those to draw and the reference networks that lie over FAR times outside all others."""
    own = [x.of(point) for point in points if point.kind != "reference"] or [x.of(point) for point in points]
    low, high = min(own, default=0) / FAR, max(own, default=0) * FAR
    far = [point for point in points if not low <= x.of(point) <= high]
    return [point for point in points if point not in far], far


def scatter(points: Sequence[Point], kind: Kind, x: Axis, y: Axis) -> go.Scatter:
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
    return go.Scatter(
        x=[x.of(point) for point in points],
        y=[y.of(point) for point in points],
        mode="markers",
        name=WORDS[kind],
        marker=MARKERS[kind],
        hovertext=[hover(point) for point in points],
        hoverinfo="text",
        **bars,
    )


def front_steps(points: Sequence[Point], x: Axis) -> go.Scatter:
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


def add_label(figure: go.Figure, point: Point, x: Axis, y: Axis) -> None:
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


def add_edge_note(figure: go.Figure, point: Point, x: Axis, row: int) -> None:
    """Tell, in line `row`, of a network beyond the edge, in the corners that a front leaves free."""
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


def draw_budget(figure: go.Figure, budget_ms: float) -> None:
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


def log_axis(values: Sequence[float]) -> dict[str, Any]:
    """Return the settings of a logarithmic axis around `values` (> 0) with ticks at 1, 2 and 5 of each decade."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(0.05, 0.06 * (high - low))
    low, high = low - margin, high + margin
    decades = range(math.floor(low), math.ceil(high) + 1)
    # Ticks of our own: plotly's label the minor ones by a bare "2" and "5", which is misread.
    ticks = [mantissa * 10.0**decade for decade in decades for mantissa in tick_mantissas(high - low)]
    return {"type": "log", "range": [low, high], "tickvals": ticks, "ticktext": [f"{tick:,g}" for tick in ticks]}


def tick_mantissas(decades: float) -> tuple[float, ...]:
    """Return which multiples of a power of ten to tick on an axis that spans so many decades."""
    if decades < 0.7:
        return (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
    return (1, 2, 3, 5, 7) if decades < 1.2 else (1, 2, 5) if decades < 4 else (1,)


def write_png(figure: go.Figure, path: Path, width: int = 1000, height: int = 600) -> bool:
    """Write a figure as a PNG of `width` x `height` pixels; False where no kaleido or no Chrome is there to draw it."""
    try:
        import kaleido
        from choreographer.errors import ChromeNotFoundError
    except ImportError:
        return False
    try:
        # Without mathjax=False it would fetch MathJax from the network.
        picture = kaleido.calc_fig_sync(
            figure,
            opts={"format": "png", "width": width, "height": height},
            kopts={"mathjax": False, "timeout": 60},
        )
    except ChromeNotFoundError:
        return False
    with replacing(path) as temporary:
        temporary.write_bytes(picture)
    return True


def pareto_page(
    path: Path,
    *,
    title: str,
    points: Sequence[Point],
    budget_ms: float | None,
    closing: Sequence[str],
    table: Sequence[Point] | None = None,
) -> None:
    """Write one self-contained HTML page: the closing lines, three charts and a table.

    table: its rows; default the front, the chosen and the reference networks of `points`, fastest first.
    Raises InputError where no point has a PSNR.
    """
    if table is None:
        table = sorted((p for p in points if p.kind in ("front", "chosen", "reference")), key=RUNTIME.of)
    rho = rank_correlation([p.activations for p in points], [p.runtime_ms for p in points])
    measured = f"All {len(points)} networks measured; {rho}."
    written = "Elements that the convolutions write, in millions."
    body = (
        section("PSNR against runtime", key(points), embedded(pareto_figure(points, budget_ms), first=True))
        + '<div class="pair">'
        + section("PSNR against activations", written, embedded(activations_figure(points)))
        + section("What predicts runtime", measured, embedded(runtime_figure(points)))
        + "</div>"
        + section("The front and the reference networks", "", front_table(table))
    )
    write_text(path, document(title, closing, body))


def key(points: Sequence[Point]) -> str:
    """Return what the symbols mean, as HTML, for those kinds that have a PSNR to draw."""
    drawn = {point.kind for point in points if point.psnr is not None}
    words = [
        f'<span><b style="color:{MARKERS[kind]["color"]}">{SYMBOLS[kind]}</b> {WORDS[kind]}</span>'
        for kind in reversed(MARKERS)
        if kind in drawn
    ]
    return "".join(words) + "<span>bars: 10th to 90th percentile</span>"


def embedded(figure: go.Figure, *, first: bool = False) -> str:
    """Return a figure as a piece of HTML; the first one of a page brings plotly.js along."""
    config = {"displayModeBar": False, "responsive": True}
    tall = f"{figure.layout.height}px"
    piece = plotly.io.to_html(figure, full_html=False, include_plotlyjs=first, config=config, default_height=tall)
    return str(piece)


# How the arms of a pruning are drawn, and what stands for them in the key.
ARMS: dict[str, dict[str, Any]] = {
    "ours": {"symbol": "star", "color": GREEN, "size": 18, "sign": "★", "words": "ours"},
    "other": {"symbol": "circle", "color": BLUE, "size": 11, "sign": "●", "words": "other pruning"},
    "dense": {"symbol": "square", "color": INK, "size": 11, "sign": "■", "words": "dense"},
}
# Left, bottom, right, top in pixels.
Box = tuple[float, float, float, float]


def arms_figure(
    dense: Point, ours: Sequence[Point], others: Sequence[Point], references: Sequence[Point] = (), *, height: int = 460
) -> go.Figure:
    """Draw PSNR against runtime of a dense network and what it was pruned to, every one named and none left out.

    All of these take a PSNR. The `references` are hand-designed networks: told of at the edge where they lie far off.
    """
    arms = [replace(point, kind="front") for point in (dense, *ours, *others)]
    figure = chart(
        [*arms, *(replace(point, kind="reference") for point in references if point.psnr is not None)],
        RUNTIME, PSNR, height=height,
    )  # fmt: skip
    looks = [ARMS["dense"], *[ARMS["ours"]] * len(ours), *[ARMS["other"]] * len(others)]
    figure.update_traces(
        marker={name: [look[name] for look in looks] for name in ("symbol", "color", "size")} | {"opacity": 1},
        # "front" is a search's word.
        hovertext=[hover(arm).replace(f" ({WORDS['front']})", "", 1) for arm in arms],
        error_x_color=GREY,
        selector={"name": WORDS["front"]},
    )
    figure.update_traces(line_color=PALE, selector={"mode": "lines"})
    name_apart(figure, arms, bold=[dense.label, *(point.label for point in ours)])
    return figure


def arms_key(*, references: bool) -> str:
    """Return what the symbols of `arms_figure` mean, as HTML; `references`: whether there are hand-designed ones."""
    signs = [(look["color"], look["sign"], look["words"]) for look in ARMS.values()]
    if references:
        signs.append((VERMILION, SYMBOLS["reference"], "hand-designed"))
    words = [f'<span><b style="color:{color}">{sign}</b> {word}</span>' for color, sign, word in signs]
    return "".join(words) + "<span>bars: 10th to 90th percentile</span><span>line: the best PSNR up to a runtime</span>"


def name_apart(figure: go.Figure, points: Sequence[Point], *, bold: Sequence[str]) -> None:
    """Name every point beside its marker, on the side where the fewest names, markers and bars are in the way."""
    (left, right), (low, high) = figure.layout.xaxis.range, figure.layout.yaxis.range
    # The width of a page's figure; on a narrower screen names may touch.
    width, height = 980.0, figure.layout.height - 78.0

    def pixels(runtime_ms: float) -> float:
        return width * float((math.log10(runtime_ms) - left) / (right - left))

    spots = [(pixels(point.runtime_ms), (PSNR.of(point) - low) / (high - low) * height) for point in points]
    taken: list[Box] = [(x - 9, y - 9, x + 9, y + 9) for x, y in spots]
    taken += [
        (pixels(point.runtime_p10), y - 2, pixels(point.runtime_p90), y + 2)
        for point, (_, y) in zip(points, spots, strict=True)
    ]
    for point, (across, up) in zip(points, spots, strict=True):
        half = 3.9 * len(point.label)
        sides = [(half + 14, 0.0), (-half - 14, 0.0), (0.0, 19.0), (0.0, -19.0)]
        sides += [(dx, dy) for dx in (half + 8, -half - 8) for dy in (17.0, -17.0)]
        boxes = {(dx, dy): (across + dx - half, up + dy - 8, across + dx + half, up + dy + 8) for dx, dy in sides}
        inside = [side for side, box in boxes.items() if within(box, width, height)] or sides
        (dx, dy) = min(inside, key=lambda side: sum(overlap(boxes[side], other) for other in taken))
        taken.append(boxes[dx, dy])
        name = html.escape(point.label)
        figure.add_annotation(
            x=math.log10(point.runtime_ms), y=PSNR.of(point), xshift=dx, yshift=dy,
            xanchor="center", yanchor="middle", showarrow=False,
            text=f"<b>{name}</b>" if point.label in bold else name,
        )  # fmt: skip


def within(box: Box, width: float, height: float) -> bool:
    """Tell whether a box lies inside a figure of that size."""
    return box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height


def overlap(one: Box, other: Box) -> float:
    """Return the area that two boxes share, in square pixels."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def kept_figure(
    layers: Sequence[str], columns: Sequence[tuple[str, str]], cells: Sequence[Sequence[tuple[int, int] | None]]
) -> go.Figure:
    """Draw as a heat map what was kept of every layer, the first on top; a column is a heading and a subheading.

    cells: (kept, all) by layer, then by column; None where there is nothing to tell, marked as gone where none is kept.
    Raises InputError where there is no layer or no column.
    """
    if not layers or not columns:
        raise InputError(f"a heat map takes layers and columns, got {len(layers)} and {len(columns)}")
    shared = {
        "x": [[heading for heading, _ in columns], [subheading for _, subheading in columns]],
        "y": list(layers), "xgap": 2, "ygap": 1, "zmin": 0, "zmax": 1, "textfont": {"size": 11},
    }  # fmt: skip
    # Two maps, each with gaps where the other draws: one scale has no room for a colour that stands for gone.
    kept = go.Heatmap(
        z=[[cell[0] / cell[1] if cell and cell[0] else None for cell in row] for row in cells],
        text=[[f"{cell[0]}/{cell[1]}" if cell and cell[0] else "" for cell in row] for row in cells],
        texttemplate="%{text}", hovertemplate="%{y}: %{text} kept, %{z:.0%}<extra></extra>",
        colorscale=[[0, "#FFFFFF"], [1, BLUE]],
        colorbar={"tickformat": ".0%", "thickness": 12, "lenmode": "pixels", "len": 150, "y": 1, "yanchor": "top"},
        name="kept", **shared,
    )  # fmt: skip
    gone = go.Heatmap(
        z=[[1 if cell and not cell[0] else None for cell in row] for row in cells],
        text=[["gone" if cell and not cell[0] else "" for cell in row] for row in cells], texttemplate="%{text}",
        hovertemplate="%{y}: gone<extra></extra>",
        colorscale=[[0, INK], [1, INK]], showscale=False, name="gone", **shared,
    )  # fmt: skip
    figure = go.Figure([kept, gone])
    lay_out_rows(figure, layers)
    figure.update_layout(margin_b=10)
    figure.update_xaxes(side="top", showdividers=False)
    return figure


def before_after_figure(
    layers: Sequence[str], panels: Mapping[str, Sequence[tuple[float | None, float | None]]]
) -> go.Figure:
    """Draw the milliseconds of every layer before (pale, behind) and after, the first on top; one panel per name.

    panels: (before, after) by layer, None where not measured, 0 after where the layer is gone. Raises InputError
    where there is no layer or no panel.
    """
    if not layers or not panels:
        raise InputError(f"a figure of layers takes layers and panels, got {len(layers)} and {len(panels)}")
    titles = [panel_title(name, pairs) for name, pairs in panels.items()]
    figure = plotly.subplots.make_subplots(
        1, len(panels), shared_yaxes=True, shared_xaxes="all", horizontal_spacing=0.03, subplot_titles=titles
    )
    for column, pairs in enumerate(panels.values(), start=1):
        for name, values, color, width in (
            ("before", [before for before, _ in pairs], PALE, 0.86),
            ("after", [after for _, after in pairs], GREEN, 0.46),
        ):
            bars = go.Bar(
                x=values, y=list(layers), orientation="h", name=name, marker_color=color, width=width,
                text=["gone" if value == 0 else "" for value in values], textposition="outside",
                textfont_size=10, constraintext="none", cliponaxis=False,
                hovertemplate=f"%{{y}}, {name}: %{{x:.3g}} ms<extra></extra>",
            )  # fmt: skip
            figure.add_trace(bars, row=1, col=column)
    lay_out_rows(figure, layers)
    figure.update_annotations(font_size=13)
    figure.update_layout(barmode="overlay", showlegend=False)
    figure.update_xaxes(title="ms", rangemode="tozero", gridcolor="#ECECEC", zerolinecolor="#999999")
    return figure


def panel_title(name: str, pairs: Sequence[tuple[float | None, float | None]]) -> str:
    """Return a panel's name with the sums over those layers that have both figures, as HTML."""
    name = f"<b>{html.escape(name)}</b>"
    both = [(before, after) for before, after in pairs if before is not None and after is not None]
    before, after = (sum(pair[index] for pair in both) for index in (0, 1))
    return f"{name}: {digits(before)} to {digits(after)} ms" if both else name


def lay_out_rows(figure: go.Figure, layers: Sequence[str]) -> None:
    """Give every layer a row high enough to read its name, the first on top."""
    figure.update_layout(
        height=120 + 18 * len(layers),
        font={"family": FONT, "size": 12, "color": INK},
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin={"l": 10, "r": 10, "t": 64, "b": 46},
    )
    figure.update_yaxes(
        autorange="reversed", automargin=True, tickfont_size=11, tickmode="array", tickvals=list(range(len(layers))),
        ticktext=[html.escape(layer) for layer in layers],
    )  # fmt: skip
