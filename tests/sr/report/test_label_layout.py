"""Names in a crowd: none on another, none on a marker, each by its own."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sr.report.figures import pareto_figure, runtime_figure
from sr.report.label_layout import (
    CHARACTER,
    LINE,
    MARKER,
    Box,
    LabelPosition,
    covered_boxes,
    label_positions,
    part_labels,
    shown,
)
from sr.report.page import Point

SIZE = (600.0, 300.0)
MARKERS = st.lists(st.tuples(st.floats(0, SIZE[0]), st.floats(0, SIZE[1])), min_size=1, max_size=25)


def named(count: int) -> list[str]:
    return [f"net {'x' * (index % 6)}" for index in range(count)]


@settings(deadline=None, max_examples=60)
@given(MARKERS)
def test_no_name_lies_on_another_nor_on_a_marker_nor_outside(markers: list[tuple[float, float]]) -> None:
    names = named(len(markers))
    found = label_positions(markers, names, SIZE)
    assert len(found) == len(markers)
    taken = [
        (marker, Box.around(marker[0] + position.right, marker[1] + position.up, CHARACTER * len(name), LINE))
        for marker, name, position in zip(markers, names, found, strict=True)
        if position is not None
    ]
    for index, (_, box) in enumerate(taken):
        assert box.left >= 0
        assert box.right <= SIZE[0]
        assert box.bottom >= 0
        assert box.top <= SIZE[1]
        assert not any(box.meets(other) for _, other in taken[:index])
        assert not any(box.meets(Box.around(x, y, MARKER, MARKER)) for x, y in markers)


@settings(deadline=None, max_examples=30)
@given(MARKERS)
def test_no_line_crosses_a_name_of_another(markers: list[tuple[float, float]]) -> None:
    names = named(len(markers))
    drawn = [
        covered_boxes(marker, CHARACTER * len(name), position)
        for marker, name, position in zip(markers, names, label_positions(markers, names, SIZE), strict=True)
        if position is not None
    ]
    for index, (_, *line) in enumerate(drawn):
        others = [name for other, (name, *_) in enumerate(drawn) if other != index]
        assert not any(dot.meets(name) for dot in line for name in others)


def test_where_room_is_short_the_name_that_matters_most_has_it() -> None:
    markers, names, size = [(30.0, 15.0), (30.0, 15.0)], ["first", "other"], (80.0, 30.0)
    for ranks in ((0, 1), (1, 0)):
        found = label_positions(markers, names, size, ranks=ranks)
        assert [each is not None for each in found] == [bool(rank) for rank in ranks]


def test_a_lone_name_stands_beside_its_marker_and_at_the_right_edge_on_its_left() -> None:
    (beside,) = label_positions([(100.0, 100.0)], ["RFDN"], SIZE)
    assert beside is not None
    assert beside.right > 0
    assert not beside.led
    (left,) = label_positions([(595.0, 100.0)], ["RFDN"], SIZE)
    assert left is not None
    assert left.right < 0
    assert not left.led


@settings(deadline=None, max_examples=30)
@given(MARKERS, st.sampled_from([6.0, 22.0]))
def test_names_keep_off_markers_of_any_size(markers: list[tuple[float, float]], marker: float) -> None:
    names = named(len(markers))
    for spot, name, position in zip(markers, names, label_positions(markers, names, SIZE, marker=marker), strict=True):
        if position is not None:
            box = Box.around(spot[0] + position.right, spot[1] + position.up, CHARACTER * len(name), LINE)
            assert not any(box.meets(Box.around(x, y, marker, marker)) for x, y in markers)


@pytest.mark.parametrize(
    ("text", "seen"), [("RFDN", "RFDN"), ("<b>per-layer &lt;a&gt;</b>", "per-layer <a>"), ("a &amp; b", "a & b")]
)
def test_a_name_takes_the_room_of_what_is_to_be_seen(text: str, seen: str) -> None:
    assert shown(text) == seen


def test_where_nothing_is_free_there_is_no_name() -> None:
    assert label_positions([(300.0, 150.0)], ["RFDN"], SIZE, taken=[Box(0, 0, *SIZE)]) == [None]


def test_a_line_leads_from_the_marker_to_the_name() -> None:
    name, *line = covered_boxes((100.0, 100.0), 30.0, LabelPosition(60.0, 0.0, led=True))
    assert (name.left, name.right) == (145.0, 175.0)
    assert line
    assert all(100 + MARKER - 1 <= dot.left <= 145 and dot.bottom == 99 for dot in line)
    assert covered_boxes((100.0, 100.0), 30.0, LabelPosition(20.0, 6.0, led=False)) == [Box.around(120, 106, 30, LINE)]


def crowd(count: int) -> list[Point]:
    """Return two reference networks far apart, and more of them nearly in one spot between."""
    spots = [(28.0, 50.0), (30.0, 400.0), *((29.0, 100 + 0.1 * index) for index in range(count - 2))]
    return [
        Point(f"network {index}", psnr, ms, ms, ms, round(1e6 * ms), 1, 1, "reference")
        for index, (psnr, ms) in enumerate(spots)
    ]


@pytest.mark.parametrize("draw", [lambda points: pareto_figure(points, None), runtime_figure])
def test_the_names_of_a_figure_are_parted(draw) -> None:
    figure = draw(crowd(8))
    part_labels(figure)
    labels = figure.layout.annotations
    assert {label.text for label in labels} == {f"network {index}" for index in range(8)}
    assert {(label.xanchor, label.yanchor) for label in labels} == {("center", "middle")}
    # The two that stand alone need no line; of those in the crowd some do.
    by_name = {label.text: label.showarrow for label in labels}
    assert not by_name["network 0"]
    assert not by_name["network 1"]
    assert any(by_name.values())


def test_a_name_without_room_goes_and_notes_at_the_edge_stay() -> None:
    figure = pareto_figure(crowd(40), None)
    figure.add_annotation(xref="paper", yref="paper", x=0, y=1, text="a note")
    part_labels(figure)
    texts = [label.text for label in figure.layout.annotations]
    assert texts[0] == "a note"
    assert 5 < len(texts) < 41
    assert len(set(texts)) == len(texts)


def test_names_lie_off_the_bars_of_the_runtime() -> None:
    wide = Point("RFDN", 29.0, 100, 60, 160, 10**6, 1, 1, "reference")
    far = Point("IMDN", 29.4, 200, 199, 201, 10**6, 1, 1, "reference")
    figure = pareto_figure([wide, far], None)
    part_labels(figure)
    (label,) = [each for each in figure.layout.annotations if each.text == "RFDN"]
    assert label.x == pytest.approx(math.log10(100))
    assert abs(label.yshift) >= LINE / 2 + 4
