"""The page of a search: its closing lines, three Pareto figures and a table."""

from collections.abc import Sequence

from sr.files import StrPath, write_text
from sr.rank_correlation import spearman
from sr.report.figures import MARKERS, RUNTIME, activations_figure, embedded, pareto_figure, runtime_figure
from sr.report.page import LEGEND, SYMBOLS, Point, document, front_table, section


def pareto_page(
    path: StrPath,
    *,
    title: str,
    points: Sequence[Point],
    budget_ms: float | None,
    closing: Sequence[str],
    table: Sequence[Point] | None = None,
) -> None:
    """Write one self-contained HTML page: the closing lines, three charts and a table.

    Args:
        path: The file.
        title: Its heading.
        points: The networks to draw.
        budget_ms: Where the budget lies; None for none.
        closing: The lines below the heading, plain text.
        table: The rows of the table; default the front, the chosen and the reference networks of `points`, fastest
            first.

    Raises:
        InputError: Where no point has a PSNR or the file cannot be written.
    """
    if table is None:
        table = sorted((p for p in points if p.kind in ("front", "chosen", "reference")), key=RUNTIME.of)
    rho = spearman([p.activations for p in points], [p.runtime_ms for p in points])
    order = "too few to correlate" if rho is None else f"rank correlation of runtime and activations {rho:.2f}"
    measured = f"All {len(points)} networks measured; {order}."
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
        f'<span><b style="color:{MARKERS[kind]["color"]}">{SYMBOLS[kind]}</b> {LEGEND[kind]}</span>'
        for kind in reversed(MARKERS)
        if kind in drawn
    ]
    return "".join(words) + "<span>bars: 10th to 90th percentile</span>"
