"""The plot of a league as SVG, for pages that run no script: PSNR against runtime, every network named.

The pages' own plots are drawn by scripts, and figures of plotly take a browser to become a file; this takes neither,
and comes out the same each time, so that a test can prove what it was made of.
"""

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from baselines.league.page import LOOKS
from baselines.league.standings import Standings, psnr
from sr.errors import InputError
from sr.report.charts import Look
from sr.report.figures import BLUE, GREEN, GREY, INK, VERMILION
from sr.report.label_layout import CHARACTER, LINE, Box, LabelPosition, label_positions
from sr.report.page import FONT

# In pixels; what `label_layout` takes a name's characters to be is at this size of the font.
_WIDTH, _HEIGHT, _FONT_SIZE = 800, 600, 13
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 16, 58, 46
_INSIDE = (_WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM)
# What names keep off around the middle of a marker: the largest one's size.
_MARKER = 20.0
_COLORS = {"blue": BLUE, "green": GREEN, "vermilion": VERMILION}
# Of what exceeds the budget, and of the grid.
_FAINT, _GRID = 0.4, "#ECECEC"
_MOST_TICKS = 9


@dataclass(frozen=True)
class _Point:
    """A network to draw, with the standard deviation of its PSNR over seeds."""

    name: str
    look: Look
    ms: float
    psnr: float
    deviation: float
    within: bool


@dataclass(frozen=True)
class _Axis:
    """Values from `low` to `high` along a length in pixels, drawn in equal ratios where it is logarithmic."""

    low: float
    high: float
    length: int
    log: bool = False

    def pixel(self, value: float) -> float:
        """Return how far along it a value lies."""
        of: Callable[[float], float] = math.log if self.log else float
        return (of(value) - of(self.low)) / (of(self.high) - of(self.low)) * self.length

    def ticks(self) -> list[tuple[float, str]]:
        """Return round values on it, each with its text."""
        if self.high > 8 * self.low and self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)))
            there = [mantissa * 10.0**decade for decade in decades for mantissa in (1, 2, 5)]
            return [(value, f"{value:,g}") for value in there if self.low <= value <= self.high]
        power = 10.0 ** math.floor(math.log10((self.high - self.low) / _MOST_TICKS))
        step = next(size * power for size in (1, 2, 5, 10) if (self.high - self.low) / (size * power) <= _MOST_TICKS)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        numbers = range(math.ceil(self.low / step), math.floor(self.high / step) + 1)
        return [(number * step, f"{number * step:.{decimals}f}") for number in numbers]


def league_svg(standings: Standings) -> str:
    """Return the plot of the longest trainings on the last pictures, without those that ended below interpolation.

    Raises:
        InputError: Where no network has been trained.
    """
    points = _points(standings)
    if not points:
        raise InputError("a plot of a league takes at least one network that was trained, got none")
    # One whose training failed would press all others together.
    above = [point for point in points if point.psnr >= standings.bicubic[standings.val[-1]].psnr]
    left_out, points = (len(points) - len(above), above) if above else (0, points)
    budget_ms, budget_text = standings.drawn_budget()
    x, y = _axes(points, budget_ms)
    engine = standings.standings[0].measurement.conditions.engine
    judged = f"PSNR over RGB on {standings.val[-1]} after {standings.main_length:,} steps"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="{html.escape(FONT)}" font-size="{_FONT_SIZE}" fill="{INK}" '
        f'role="img"><title>{html.escape(judged)} against runtime</title>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        *_legend(points, left_out),
        # Inside the figure y is upwards from its lower left corner, but for the sign.
        f'<g transform="translate({_LEFT} {_HEIGHT - _BOTTOM})">',
        *_budget(x, budget_ms, budget_text),
        *_grid(x, y),
        _text(_INSIDE[0] / 2, -38, f"runtime in {engine} (ms)", "middle"),
        f'<g transform="translate(-56 {-_INSIDE[1] / 2:.1f}) rotate(-90)">'
        f"{_text(0, 0, f'{judged} (dB)', 'middle')}</g>",
        *_networks(points, x, y),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _points(standings: Standings) -> list[_Point]:
    """Return what is drawn, what matters most last."""
    if not standings.lengths:
        return []
    steps, val = standings.main_length, standings.val[-1]
    points = []
    for each in standings.ranked(steps):
        spread, ms = each.spread(steps, val, psnr), each.measurement.runtime.median_ms
        assert spread is not None
        name, look = each.name, LOOKS[each.kind]
        points.append(_Point(name, look, ms, spread.mean, spread.deviation, standings.within(each)))
    return sorted(points, key=lambda point: (point.look.order, point.within))


def _axes(points: Sequence[_Point], budget_ms: float) -> tuple[_Axis, _Axis]:
    """Return the axes on which all of it has room."""
    times = [*(point.ms for point in points), budget_ms]
    ratio = max(1.1, (max(times) / min(times)) ** 0.08)
    low = min(point.psnr - point.deviation for point in points)
    high = max(point.psnr + point.deviation for point in points)
    margin = max(0.02, 0.08 * (high - low))
    return (
        _Axis(min(times) / ratio, max(times) * ratio, _INSIDE[0], log=True),
        _Axis(low - margin, high + margin, _INSIDE[1]),
    )


def _legend(points: Sequence[_Point], left_out: int) -> list[str]:
    """Return what shapes and colours stand for, in a row on top, and how many have none."""
    parts, left = [], float(_LEFT)
    for look in sorted({point.look for point in points}, key=lambda look: -look.order):
        parts += [_marker(look, left + 8, 16), _text(left + 22, -20.5, look.words)]
        left += 22 + CHARACTER * len(look.words) + 14
    notes = ["faint: over the budget"] if not all(point.within for point in points) else []
    notes += ["bars: \N{PLUS-MINUS SIGN} over seeds"] if any(point.deviation for point in points) else []
    notes += [f"{left_out} below bicubic left out"] if left_out else []
    return [*parts, _text(_WIDTH - _RIGHT, -20.5, "; ".join(notes), "end", GREY)]


def _budget(x: _Axis, budget_ms: float, words: str) -> list[str]:
    """Return the budget as a dashed line, and what exceeds it shaded."""
    at, (width, height) = x.pixel(budget_ms), _INSIDE
    return [
        f'<rect x="{at:.1f}" y="{-height}" width="{width - at:.1f}" height="{height}" fill="{VERMILION}" '
        'fill-opacity="0.06"/>',
        f'<path d="M{at:.1f} 0V{-height}" stroke="{VERMILION}" stroke-width="1.5" stroke-dasharray="6 4"/>',
        _text(at, height + 7, words, "middle" if width - at > CHARACTER * len(words) / 2 else "end", VERMILION),
    ]


def _grid(x: _Axis, y: _Axis) -> list[str]:
    """Return the lines of both axes with their numbers."""
    width, height = _INSIDE
    parts = []
    for value, text in x.ticks():
        at = x.pixel(value)
        parts += [f'<path d="M{at:.1f} 0V{-height}" stroke="{_GRID}"/>', _text(at, -18, text, "middle")]
    for value, text in y.ticks():
        at = y.pixel(value)
        parts += [f'<path d="M0 {-at:.1f}H{width}" stroke="{_GRID}"/>', _text(-8, at - 4.5, text, "end")]
    return [*parts, f'<path d="M0 {-height}V0H{width}" fill="none" stroke="#999999"/>']


def _networks(points: Sequence[_Point], x: _Axis, y: _Axis) -> list[str]:
    """Return the markers, with bars where there are several seeds, and the names beside them."""
    spots = [(x.pixel(point.ms), y.pixel(point.psnr)) for point in points]
    ends = [
        (y.pixel(point.psnr - point.deviation), y.pixel(point.psnr + point.deviation)) if point.deviation else None
        for point in points
    ]
    taken = [
        Box(spot[0] - 3, end[0], spot[0] + 3, end[1]) for spot, end in zip(spots, ends, strict=True) if end is not None
    ]
    # What is bold is wider.
    names = [point.name + " " * (len(point.name) // 8 if point.look.strong else 0) for point in points]
    # Of each kind first those that none of it is better and faster than: the rivals.
    ranks = [2 * point.look.order + _leads(point, points) for point in points]
    positions = label_positions(spots, names, _INSIDE, taken, _MARKER, ranks)
    below: list[str] = []
    above: list[str] = []
    for point, name, spot, end, position in zip(points, names, spots, ends, positions, strict=True):
        color, faint = _COLORS[point.look.color], "" if point.within else f' opacity="{_FAINT}"'
        if end is not None:
            bar = f"M{spot[0]:.1f} {-end[0]:.1f}V{-end[1]:.1f}"
            below.append(f'<path class="bar" d="{bar}" stroke="{color}" stroke-width="1.2"{faint}/>')
        above.append(f"<g{faint}>{_marker(point.look, spot[0], -spot[1])}</g>")
        if position is None:
            continue
        if position.led:
            below.append(_leader(spot, position, CHARACTER * len(name)))
        weight = ' font-weight="bold"' if point.look.strong else ""
        # The middle of a line of text lies a third of its size above its foot.
        up = spot[1] + position.up - _FONT_SIZE / 3
        above.append(_text(spot[0] + position.right, up, point.name, "middle", color, weight))
    return [*below, *above]


def _leads(point: _Point, points: Sequence[_Point]) -> bool:
    """Return whether none of its kind is both better and faster."""
    alike = [each for each in points if each.look == point.look]
    return not any(each.psnr > point.psnr and each.ms < point.ms for each in alike)


def _leader(spot: tuple[float, float], position: LabelPosition, width: float) -> str:
    """Return the line from a marker to the edge of its name."""
    right, up = position.right, position.up
    reach = 1 - min(width / 2 / max(abs(right), 1e-9), LINE / 2 / max(abs(up), 1e-9), 1)
    x, y = spot
    line = f"M{x:.1f} {-y:.1f}L{x + reach * right:.1f} {-(y + reach * up):.1f}"
    return f'<path d="{line}" stroke="{GREY}" stroke-width="0.8"/>'


def _marker(look: Look, x: float, y: float) -> str:
    """Return a marker whose middle is there, y downwards."""
    size = look.size
    if look.shape == "circle":
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}"'
    else:
        radii = {"diamond": [size] * 4, "star": [size, 0.45 * size] * 5}[look.shape]
        turns = [2 * math.pi * number / len(radii) for number in range(len(radii))]
        corners = [
            f"{x + radius * math.sin(turn):.1f},{y - radius * math.cos(turn):.1f}"
            for radius, turn in zip(radii, turns, strict=True)
        ]
        shape = f'<polygon points="{" ".join(corners)}"'
    return f'{shape} fill="{_COLORS[look.color]}" stroke="white"/>'


def _text(
    x: float,
    up: float,
    text: str,
    anchor: Literal["start", "middle", "end"] = "start",
    color: str = INK,
    more: str = "",
) -> str:
    """Return a line of text whose foot is there."""
    return f'<text x="{x:.1f}" y="{-up:.1f}" text-anchor="{anchor}" fill="{color}"{more}>{html.escape(text)}</text>'
