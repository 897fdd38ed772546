"""Plots that a page draws itself, as wide as the screen is: what is plotted, and how. Drawn by `assets/chart.js`."""

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sr.report.page import Point

Shape = Literal["circle", "diamond", "square", "triangle", "cross", "star"]


@dataclass(frozen=True)
class Look:
    """How networks of a kind are drawn.

    Attributes:
        words: What stands for it in the legend.
        shape: Of its marker.
        color: A colour of `assets/page.css`: blue, vermilion, green, grey, pale, violet, amber, sky or ink.
        size: Half of its marker, in pixels.
        order: What is higher is drawn later, named first and leads the legend.
        counts: Whether the axes are chosen so that all of them are seen.
        named: Whether its networks' names are written into the plot where there is room.
        strong: Whether these are bold.
        front: Whether the line of the best runs over them.
        far: Whether one far beyond all others is named below the plot instead of drawn.
        opacity: Of its markers.
    """

    words: str
    shape: Shape
    color: str
    size: float
    order: int
    counts: bool = True
    named: bool = False
    strong: bool = False
    front: bool = False
    far: bool = False
    opacity: float = 1.0


@dataclass(frozen=True)
class ChartAxis:
    """A quantity to plot.

    Attributes:
        key: The field of the points that holds it.
        name: What it is called.
        unit: Its unit; empty for none.
        log: Whether it is drawn in equal ratios.
        size: What one unit is in the field.
    """

    key: str
    name: str
    unit: str = ""
    log: bool = True
    size: float = 1.0


RUNTIME = ChartAxis("ms", "runtime", "ms")
PSNR = ChartAxis("psnr", "PSNR", "dB", log=False)
ACTIVATIONS = ChartAxis("activations", "activations", "M", size=1e6)

# How the kinds of a search are drawn.
SEARCHED: dict[str, Look] = {
    "infeasible": Look("never trained: over the budget, or put off", "cross", "pale", 3.5, 0, counts=False),
    "candidate": Look("candidate", "circle", "grey", 3.5, 1, counts=False, opacity=0.75),
    "reference": Look("designed by hand", "diamond", "vermilion", 6, 3, named=True, far=True),
    "front": Look("front: no other is faster, better and smaller at once", "circle", "blue", 5, 2, front=True),
    "chosen": Look("chosen", "star", "green", 11, 4, named=True, strong=True, front=True),
}
BARS = "bars: nine runs of ten end by their right end, one of ten by their left"


def point_values(point: Point, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever JSON holds
    """Return a network as a plot takes it.

    Args:
        point: Its figures.
        more: What its panel shows beyond these: `lines`, `architecture`, and `command` below the heading `leads` (where
            there is none: "Take it away").
    """
    values: dict[str, Any] = {
        "id": point.label,
        "name": point.label,
        "kind": point.kind,
        "ms": _short(point.runtime_ms),
        "p10": _short(point.runtime_p10),
        "p90": _short(point.runtime_p90),
        "activations": point.activations,
        "multi_adds": point.multi_adds,
        "params": point.params,
    }
    if point.psnr is not None and math.isfinite(point.psnr):
        values["psnr"] = round(point.psnr, 4)
    if point.psnr_spread:
        values["spread"] = round(point.psnr_spread, 4)
    if point.detail:
        values["lines"] = [point.detail]
    return values | {name: value for name, value in more.items() if value is not None}


def dataset(name: str, points: Sequence[Mapping[str, Any]], looks: Mapping[str, Look]) -> str:
    """Return networks as a page holds them, once for all of its plots, as HTML.

    Args:
        name: What the plots call them.
        points: Each with `id`, `kind`, and what the axes and the panel take; absent where not known.
        looks: How each kind is drawn.
    """
    return embedded_json(name, {"kinds": {kind: asdict(look) for kind, look in looks.items()}, "points": list(points)})


def embedded_json(name: str, value: Any) -> str:  # noqa: ANN401 - anything JSON can hold
    """Return JSON values as an element that the scripts of the page find by its name."""
    return f'<script type="application/json" data-dataset="{html.escape(name)}">{_inside_script(value)}</script>\n'


def chart(
    title: str,
    data: str,
    x: ChartAxis,
    y: ChartAxis,
    *,
    budget_ms: float | None = None,
    budget_text: str = "",
    front: bool = False,
    bars: bool = False,
    strip: bool = False,
    opens: bool = False,
    height: int = 430,
    notes: Sequence[str] = (),
) -> str:
    """Return a plot as HTML; the page takes `frame.script()` at its end.

    Args:
        title: What is plotted, for those who do not see it.
        data: The name of the `dataset`.
        x: The horizontal axis.
        y: The vertical one.
        budget_ms: Where the budget lies on x; None for none.
        budget_text: What it is called, where that is not its runtime.
        front: Whether the line of the best is drawn.
        bars: Whether the spread of the runtime is.
        strip: Whether what has no y is drawn in a strip below the others.
        opens: Whether networks open a panel.
        height: In pixels, on a wide screen.
        notes: Texts beside the legend.
    """
    spec = {
        "title": title, "data": data, "x": asdict(x), "y": asdict(y), "budget": budget_ms, "budgetText": budget_text,
        "front": front, "bars": bars, "strip": strip, "opens": opens, "height": height, "notes": list(notes),
    }  # fmt: skip
    return f'<figure class="chart"><script type="application/json">{_inside_script(spec)}</script></figure>\n'


def csv_button(data: str) -> str:
    """Return a button that offers the networks of a `dataset` as a table for other programs, as HTML."""
    button = f'<button type="button" data-csv="{html.escape(data)}">Download these figures as CSV</button>'
    return f'<div class="tools">{button}</div>\n'


def _inside_script(value: Any) -> str:  # noqa: ANN401 - anything JSON can hold
    """Return JSON that ends no script element, whatever its texts are."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _short(value: float) -> float:
    """Return a number with five digits that count: a page of thousands of networks need not carry more."""
    return float(f"{value:.5g}")
