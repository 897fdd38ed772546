"""Where the names in a crowded figure go, so that none lies on another or on a marker."""

import html
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# In pixels: what a name takes, at the figures' font size, and a marker; and the inside of a figure as wide as the page.
CHARACTER, LINE, MARKER = 7.6, 15.0, 12.0
INSIDE_WIDTH = 900.0
# How far from its marker the middle of a name may lie, above or below, where a line leads to it.
_DISTANCES = (26.0, 40.0, 56.0, 74.0, 94.0, 116.0, 140.0)
_DIRECTIONS = 32
# Up to where another marker makes a crowd, in pixels.
_NEAR = 60.0


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels, y upwards."""

    left: float
    bottom: float
    right: float
    top: float

    @classmethod
    def around(cls, x: float, y: float, width: float, height: float) -> "Box":
        """Return the rectangle of that size whose middle is (x, y)."""
        return cls(x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    def meets(self, other: "Box") -> bool:
        """Return whether the two share more than an edge."""
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def within(self, width: float, height: float) -> bool:
        """Return whether it lies inside a figure of that size."""
        return self.left >= 0 and self.bottom >= 0 and self.right <= width and self.top <= height


@dataclass(frozen=True)
class LabelPosition:
    """The middle of a name, seen from its marker.

    Attributes:
        right: In pixels.
        up: In pixels.
        led: Whether it is so far that a line must lead to it.
    """

    right: float
    up: float
    led: bool


def _candidates(width: float, marker: float) -> Iterator[LabelPosition]:
    """Yield the positions for a name of that width, best first: around a marker of that size, then farther off."""
    beside, above = (width + marker) / 2 + 1, (LINE + marker) / 2
    for right, up in ((beside, -6), (-beside, -6), (beside, 6), (-beside, 6), (0, above), (0, -above)):
        yield LabelPosition(right, up, led=False)
    for distance in _DISTANCES:
        for step in range(_DIRECTIONS):
            angle = 2 * math.pi * (step + 0.5) / _DIRECTIONS
            side = math.cos(angle)
            yield LabelPosition(side * distance + math.copysign(width / 2, side), math.sin(angle) * distance, led=True)


def label_positions(
    markers: Sequence[tuple[float, float]],
    names: Sequence[str],
    size: tuple[float, float],
    taken: Sequence[Box] = (),
    marker: float = MARKER,
    ranks: Sequence[int] = (),
) -> list[LabelPosition | None]:
    """Find where the names of markers go, so that none lies on another or on a marker.

    Args:
        markers: (x, y) in pixels from the lower left corner.
        names: What each is called.
        size: Width and height of the inside of the figure, in pixels.
        taken: What no name may lie on besides the markers, though a line to one may cross it.
        marker: The size of the markers.
        ranks: How much each matters: names of the highest find a position first. Without them all are equal.

    Returns:
        The position of each name, None where there is none left.
    """
    occupied = [Box.around(x, y, marker, marker) for x, y in markers]
    found: list[LabelPosition | None] = [None] * len(markers)
    rank = ranks or [0] * len(markers)
    # Those in a crowd first: the others find a position later too.
    for index in sorted(range(len(markers)), key=lambda at: (-rank[at], -_neighbours(markers[at], markers))):
        spot, width = markers[index], CHARACTER * len(names[index])
        for position in _candidates(width, marker):
            name, *line = covered_boxes(spot, width, position, marker)
            if name.within(*size) and _is_free([name], taken) and _is_free([name, *line], occupied):
                found[index] = position
                occupied += [name, *line]
                break
    return found


def _neighbours(spot: tuple[float, float], markers: Sequence[tuple[float, float]]) -> int:
    """Return how many of the markers lie near, itself included."""
    return sum(math.dist(spot, other) < _NEAR for other in markers)


def _is_free(boxes: Sequence[Box], occupied: Sequence[Box]) -> bool:
    """Return whether none of `boxes` lies on anything that is occupied."""
    return not any(box.meets(other) for box in boxes for other in occupied)


def covered_boxes(
    spot: tuple[float, float], width: float, position: LabelPosition, marker: float = MARKER
) -> list[Box]:
    """Return what a name at `position` takes: its own box, then boxes along the line that leads to it."""
    x, y = spot
    name = Box.around(x + position.right, y + position.up, width, LINE)
    if not position.led:
        return [name]
    # From where the line has left its own marker.
    length = math.hypot(position.right, position.up)
    steps = [step / length for step in range(math.ceil(marker), math.floor(length), 4)]
    line = [Box.around(x + share * position.right, y + share * position.up, 2, 2) for share in steps]
    return [name, *(dot for dot in line if not dot.meets(name))]


def part_labels(figure: Any, marker: float = MARKER) -> None:  # noqa: ANN401 - a figure, whose library is not for here
    """Move the names of a figure's points apart; a name without any free position goes, and pointing still shows it.

    Args:
        figure: Of plotly, with an annotation at each point; changed in place.
        marker: The size of the largest marker, in pixels.
    """
    layout = figure.layout
    size = (INSIDE_WIDTH, layout.height - layout.margin.t - layout.margin.b)
    # All others are notes at the figure's edge.
    of_points = [label for label in layout.annotations if _is_of_point(label)]
    notes = [label for label in layout.annotations if not _is_of_point(label)]
    markers = [
        (_in_pixels(label.x, layout.xaxis, size[0]), _in_pixels(label.y, layout.yaxis, size[1])) for label in of_points
    ]
    found = label_positions(markers, [shown(label.text) for label in of_points], size, _spreads(figure, size), marker)
    kept = [_moved(label, position) for label, position in zip(of_points, found, strict=True) if position is not None]
    layout.annotations = [*notes, *kept]


def _is_of_point(label: Any) -> bool:  # noqa: ANN401 - see part_labels
    """Return whether an annotation stands at a point of both axes."""
    return label.xref in (None, "x") and label.yref in (None, "y")


def shown(text: str) -> str:
    """Return what is to be seen of a name in HTML."""
    return html.unescape(re.sub(r"<[^>]*>", "", text))


def _in_pixels(value: float, axis: Any, length: float) -> float:  # noqa: ANN401 - see part_labels
    """Return how far along `axis` a value lies, a logarithm where the axis is logarithmic."""
    low, high = axis.range
    return float((value - low) / (high - low) * length)


def _spreads(figure: Any, size: tuple[float, float]) -> list[Box]:  # noqa: ANN401 - see part_labels
    """Return what the bars of a figure take whose x is logarithmic: from the 10th to the 90th percentile."""
    xaxis, yaxis = figure.layout.xaxis, figure.layout.yaxis
    boxes = []
    for trace in figure.data:
        if trace.error_x.array is None:
            continue
        for x, y, up, down in zip(trace.x, trace.y, trace.error_x.array, trace.error_x.arrayminus, strict=True):
            left, right = (_in_pixels(math.log10(end), xaxis, size[0]) for end in (x - down, x + up))
            height = _in_pixels(y, yaxis, size[1])
            boxes.append(Box(left, height - 4, right, height + 4))
    return boxes


def _moved(label: Any, position: LabelPosition) -> Any:  # noqa: ANN401 - see part_labels
    """Return a name at its position, with a line to its marker where that is not beside it."""
    middle = {"xanchor": "center", "yanchor": "middle"}
    if position.led:
        line = {"showarrow": True, "arrowhead": 0, "arrowwidth": 0.8, "arrowcolor": label.font.color, "standoff": 5}
        return label.update(**middle, **line, xshift=0, yshift=0, ax=position.right, ay=-position.up)
    return label.update(**middle, showarrow=False, xshift=position.right, yshift=position.up)
