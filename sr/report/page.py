"""What a Pareto page says: its points in words and numbers, and the frame that holds them. Knows no figure."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sr.measure.measurement import Measurement
from sr.report.frame import script, style

Kind = Literal["candidate", "front", "chosen", "reference", "infeasible"]

LEGEND: dict[Kind, str] = {
    "infeasible": "over the budget",
    "candidate": "candidate",
    "reference": "reference network",
    "front": "front",
    "chosen": "chosen",
}
SYMBOLS: dict[Kind, str] = {"infeasible": "+", "candidate": "●", "reference": "◆", "front": "●", "chosen": "★"}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Point:
    """One measured network.

    Attributes:
        label: What it is called.
        psnr: In dB; None where it was never trained.
        runtime_ms: The median.
        runtime_p10: The 10th percentile, in ms.
        runtime_p90: The 90th percentile, in ms.
        activations: Elements that its convolutions write.
        multi_adds: Multiply-accumulates.
        params: Elements of its parameters.
        kind: What it is on the page.
        detail: Its architecture in a few words.
        psnr_spread: The standard deviation of its PSNR over seeds, in dB; 0 where there is one.
    """

    label: str
    psnr: float | None
    runtime_ms: float
    runtime_p10: float
    runtime_p90: float
    activations: int
    multi_adds: int
    params: int
    kind: Kind
    detail: str = ""
    psnr_spread: float = 0.0

    @classmethod
    def of(cls, label: str, measurement: Measurement, kind: Kind, detail: str = "") -> "Point":
        """Make the point of a measured network; without a PSNR where its quality was not measured."""
        runtime, complexity = measurement.runtime, measurement.complexity
        return cls(
            label=label,
            psnr=None if measurement.quality is None else measurement.quality.psnr,
            runtime_ms=runtime.median_ms,
            runtime_p10=runtime.p10_ms,
            runtime_p90=runtime.p90_ms,
            activations=complexity.activations,
            multi_adds=complexity.multi_adds,
            params=complexity.params,
            kind=kind,
            detail=detail,
        )


def hover(point: Point) -> str:
    """Return what pointing at a network shows."""
    psnr = "not trained" if point.psnr is None else f"{point.psnr:.2f} dB"
    if point.psnr_spread:
        psnr = f"{psnr} (+- {point.psnr_spread:.2f})"
    runtime = f"{digits(point.runtime_ms)} ms ({digits(point.runtime_p10)} to {digits(point.runtime_p90)})"
    counts = f"{digits(point.activations / 1e6)} M activations, {digits(point.multi_adds / 1e9)} G multi-adds"
    detail = f"<br>{html.escape(point.detail)}" if point.detail else ""
    return f"<b>{html.escape(point.label)}</b> ({LEGEND[point.kind]})<br>{psnr}, {runtime}<br>{counts}{detail}"


def document(
    title: str, closing: Sequence[str], body: str, *, kicker: str = "", lead: str = "", draws: bool = False
) -> str:
    """Return a whole page.

    Args:
        title: Its heading, plain text.
        closing: Lines below the heading, plain text.
        body: HTML.
        kicker: A line above the heading, plain text.
        lead: A sentence below it, larger than the lines, plain text.
        draws: Whether the body has plots or pictures that the page's own scripts draw.
    """
    heading = html.escape(title)
    above = f'<p class="kicker">{html.escape(kicker)}</p>\n' if kicker else ""
    below = f'<p class="lead">{html.escape(lead)}</p>\n' if lead else ""
    lines = "".join(f"<p>{html.escape(line)}</p>\n" for line in closing)
    scripts = f"<noscript><p>The plots are drawn by JavaScript.</p></noscript>\n{script()}\n" if draws else ""
    # An icon of its own, or the browser asks the server for one.
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{heading}</title>
<link rel="icon" href="data:,">
<style>{style()}</style></head>
<body><main>
{above}<h1>{heading}</h1>
{below}{lines}{body}
</main>
{scripts}</body></html>
"""


def section(heading: str, note: str, content: str) -> str:
    """Return a box with a heading as plain text, and a `note` and the content as HTML."""
    above = f'<p class="note">{note}</p>\n' if note else ""
    return f"<section><h2>{html.escape(heading)}</h2>\n{above}{content}</section>\n"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], classes: Sequence[str]) -> str:
    """Return a table of plain texts; `classes` has one style class per row."""
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    body = "".join(
        f'<tr class="{html.escape(kind)}">' + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n"
        for row, kind in zip(rows, classes, strict=True)
    )
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'
    )


def digits(value: float) -> str:
    """Return a number with three digits that count, or all those before the point: 0.0123, 3.40, 27.5, 1,320."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def front_table(points: Sequence[Point]) -> str:
    """Return the table of `points`, one row each, as HTML."""
    headings = ("network", "PSNR (dB)", "runtime (ms)", "p10 to p90", "activations (M)", "multi-adds (G)", "params (k)")
    rows = [
        (
            f"{SYMBOLS[point.kind]} {point.label}",
            "" if point.psnr is None else f"{point.psnr:.2f}",
            digits(point.runtime_ms),
            f"{digits(point.runtime_p10)} to {digits(point.runtime_p90)}",
            digits(point.activations / 1e6),
            digits(point.multi_adds / 1e9),
            digits(point.params / 1e3),
            point.detail,
        )
        for point in points
    ]
    return table((*headings, "architecture"), rows, [point.kind for point in points])
