"""Figures of a pruning: the networks that it led to, and what became of each layer."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import plotly.subplots

from sr.errors import InputError
from sr.report.figures import BLUE, GREEN, GREY, INK, PALE, PSNR, RUNTIME, VERMILION, chart
from sr.report.label_layout import part_labels
from sr.report.page import FONT, LEGEND, SYMBOLS, Point, digits, hover

# How the outcomes of a pruning are drawn, and what stands for them in the key.
_LOOKS: dict[str, dict[str, Any]] = {
    "ours": {"symbol": "star", "color": GREEN, "size": 18, "sign": "★", "words": "ours"},
    "other": {"symbol": "circle", "color": BLUE, "size": 11, "sign": "●", "words": "other pruning"},
    "dense": {"symbol": "square", "color": INK, "size": 11, "sign": "■", "words": "dense"},
}
# What the largest of these takes, in pixels; a star reaches farther than its size.
_LARGEST_MARKER = 22.0


def methods_figure(
    dense: Point, ours: Sequence[Point], others: Sequence[Point], references: Sequence[Point] = (), *, height: int = 460
) -> go.Figure:
    """Draw PSNR against runtime of a dense network and what it was pruned to, none left out, named where there is room.

    Args:
        dense: With a PSNR, as the next two.
        ours: What our pruning made of it.
        others: What other prunings made of it.
        references: Hand-designed networks: named at the edge where they lie far off.
        height: Of the figure, in pixels.
    """
    outcomes = [replace(point, kind="front") for point in (dense, *ours, *others)]
    figure = chart(
        [*outcomes, *(replace(point, kind="reference") for point in references if point.psnr is not None)],
        RUNTIME, PSNR, height=height,
    )  # fmt: skip
    looks = [_LOOKS["dense"], *[_LOOKS["ours"]] * len(ours), *[_LOOKS["other"]] * len(others)]
    figure.update_traces(
        marker={name: [look[name] for look in looks] for name in ("symbol", "color", "size")} | {"opacity": 1},
        # "front" is a search's word.
        hovertext=[hover(outcome).replace(f" ({LEGEND['front']})", "", 1) for outcome in outcomes],
        error_x_color=GREY,
        selector={"name": LEGEND["front"]},
    )
    figure.update_traces(line_color=PALE, selector={"mode": "lines"})
    bold = [dense.label, *(point.label for point in ours)]
    for outcome in outcomes:
        name = html.escape(outcome.label)
        text = f"<b>{name}</b>" if outcome.label in bold else name
        figure.add_annotation(x=math.log10(outcome.runtime_ms), y=PSNR.of(outcome), text=text, font_color=INK)
    part_labels(figure, marker=_LARGEST_MARKER)
    return figure


def methods_key(*, references: bool) -> str:
    """Return what the symbols of `methods_figure` mean, as HTML; `references`: whether there are hand-designed ones."""
    signs = [(look["color"], look["sign"], look["words"]) for look in _LOOKS.values()]
    if references:
        signs.append((VERMILION, SYMBOLS["reference"], "hand-designed"))
    words = [f'<span><b style="color:{color}">{sign}</b> {word}</span>' for color, sign, word in signs]
    return "".join(words) + "<span>bars: 10th to 90th percentile</span><span>line: the best PSNR up to a runtime</span>"


def kept_figure(
    layers: Sequence[str], columns: Sequence[tuple[str, str]], cells: Sequence[Sequence[tuple[int, int] | None]]
) -> go.Figure:
    """Draw as a heat map what was kept of every layer, the first on top.

    Args:
        layers: The names of the layers.
        columns: A heading and a subheading each.
        cells: (kept, all) by layer, then by column; None where nothing is known, marked as gone where none is kept.

    Raises:
        InputError: Where there is no layer or no column.
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
    _lay_out_rows(figure, layers)
    figure.update_layout(margin_b=10)
    figure.update_xaxes(side="top", showdividers=False)
    return figure


def before_after_figure(
    layers: Sequence[str], panels: Mapping[str, Sequence[tuple[float | None, float | None]]]
) -> go.Figure:
    """Draw the milliseconds of every layer before (pale, behind) and after, the first on top; one panel per name.

    Args:
        layers: The names of the layers.
        panels: (before, after) by layer, None where not measured, 0 after where the layer is gone.

    Raises:
        InputError: Where there is no layer or no panel.
    """
    if not layers or not panels:
        raise InputError(f"a figure of layers takes layers and panels, got {len(layers)} and {len(panels)}")
    titles = [_panel_title(name, pairs) for name, pairs in panels.items()]
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
    _lay_out_rows(figure, layers)
    figure.update_annotations(font_size=13)
    figure.update_layout(barmode="overlay", showlegend=False)
    figure.update_xaxes(title="ms", rangemode="tozero", gridcolor="#ECECEC", zerolinecolor="#999999")
    return figure


def _panel_title(name: str, pairs: Sequence[tuple[float | None, float | None]]) -> str:
    """Return a panel's name with the sums over those layers that have both figures, as HTML."""
    name = f"<b>{html.escape(name)}</b>"
    both = [(before, after) for before, after in pairs if before is not None and after is not None]
    before, after = (sum(pair[index] for pair in both) for index in (0, 1))
    return f"{name}: {digits(before)} to {digits(after)} ms" if both else name


def _lay_out_rows(figure: go.Figure, layers: Sequence[str]) -> None:
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
