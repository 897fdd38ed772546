"""The page of a search: its closing lines, three Pareto figures and a table."""

from collections.abc import Sequence
from pathlib import Path

from sr.figures import MARKERS, RUNTIME, activations_figure, embedded, pareto_figure, runtime_figure
from sr.files import write_text
from sr.page import SYMBOLS, WORDS, Point, document, front_table, rank_correlation, section


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
