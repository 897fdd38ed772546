"""Figures that are tables: large numbers with what they are, bars in cells, shares as shades."""

import html
from collections.abc import Mapping, Sequence


def facts_list(facts: Sequence[tuple[str, str]]) -> str:
    """Return figures in large type, each with what it is below it, as HTML."""
    items = "".join(f"<li><b>{html.escape(value)}</b><span>{html.escape(what)}</span></li>" for value, what in facts)
    return f'<ul class="facts">{items}</ul>\n'


def meter_table(
    headings: tuple[str, str, str, str], rows: Sequence[tuple[str, float | None, str]], *, percent: bool = False
) -> str:
    """Return a table with a bar for each figure.

    Args:
        headings: Of the names, the figures, their bars, and what stands at the end.
        rows: A name, a figure up to 1 (None: not known) and what stands at the end.
        percent: Whether figures are shares of a hundred.
    """
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    body = ""
    for name, value, last in rows:
        said = "-" if value is None else f"{100 * value:.0f} %" if percent else f"{value:.2f}"
        width = max(0.0, value or 0.0)
        body += (
            f'<tr><td>{html.escape(name)}</td><td>{said}</td><td class="meter-cell"><div class="meter">'
            f'<i style="width:{100 * width:.1f}%"></i></div></td><td>{html.escape(last)}</td></tr>\n'
        )
    return (
        f'<div class="scroll" tabindex="0"><table class="meters"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def share_table(corner: str, columns: Sequence[str], rows: Mapping[str, Sequence[float]]) -> str:
    """Return shares as a table whose cells are the bluer the more.

    Args:
        corner: What the names of the rows are.
        columns: Their headings.
        rows: By name a share of 0 to 1 for each column.
    """
    head = f"<th>{html.escape(corner)}</th>" + "".join(f"<th>{html.escape(each)}</th>" for each in columns)
    body = ""
    for name, shares in rows.items():
        cells = "".join(_shade(share) for share in shares)
        body += f"<tr><th>{html.escape(name)}</th>{cells}</tr>\n"
    return (
        f'<div class="scroll" tabindex="0"><table class="heat"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _shade(share: float) -> str:
    """Return one cell; at most so blue that its figure is read."""
    if share == 0:
        return "<td></td>"
    mixed = f"color-mix(in srgb, var(--blue) {12 + 48 * share:.0f}%, var(--box))"
    return f'<td style="background:{mixed}">{100 * share:.0f} %</td>'


def kept_table(
    layers: Sequence[str], columns: Sequence[tuple[str, str]], cells: Sequence[Sequence[tuple[int, int] | None]]
) -> str:
    """Return what was kept of every layer as a table whose cells are the bluer the more.

    Args:
        layers: Their names, the first on top.
        columns: A heading and a subheading each.
        cells: (kept, all) by layer, then by column; None where nothing is known.
    """
    head = "".join(f"<th>{html.escape(name)}<br>{html.escape(side)}</th>" for name, side in columns)
    body = ""
    for layer, row in zip(layers, cells, strict=True):
        shown = "".join("<td></td>" if cell is None else _kept(*cell) for cell in row)
        body += f"<tr><th>{html.escape(layer)}</th>{shown}</tr>\n"
    return (
        f'<div class="scroll" tabindex="0"><table class="heat"><thead><tr><th>layer</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _kept(kept: int, everything: int) -> str:
    """Return the cell of a layer's channels."""
    if not kept:
        return "<td>gone</td>"
    mixed = f"color-mix(in srgb, var(--blue) {12 + 48 * kept / max(1, everything):.0f}%, var(--box))"
    return f'<td style="background:{mixed}">{kept}/{everything}</td>'
