"""The networks that a pruning led to are all drawn and named; layers stay readable."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sr.errors import InputError
from sr.report.label_layout import CHARACTER, INSIDE_WIDTH, LINE, Box, shown
from sr.report.page import Kind, Point
from sr.report.pruning_figures import before_after_figure, kept_figure, methods_figure, methods_key


def point(label: str, psnr: float | None, ms: float, kind: Kind) -> Point:
    return Point(label, psnr, ms, 0.9 * ms, 1.2 * ms, round(1e6 * ms), round(2e8 * ms), round(1e4 * ms), kind)


def traces(figure):
    return {trace.name: trace for trace in figure.data if trace.name}


def texts(figure):
    return [annotation.text for annotation in figure.layout.annotations]


DENSE, OURS, OTHER = (
    point("dense", 28.45, 300.0, "reference"),
    point("per-layer <a>", 28.41, 141.0, "candidate"),
    point("group", 26.0, 30.0, "candidate"),
)


def test_arms_are_all_drawn_each_with_its_look_and_name():
    figure = methods_figure(
        DENSE, [OURS], [OTHER], [point("RFDN", 28.3, 400.0, "reference"), point("slow", None, 50.0, "infeasible")]
    )
    drawn = traces(figure)
    shown = drawn["front"]
    assert (shown.x, shown.y) == ((300.0, 141.0, 30.0), (28.45, 28.41, 26.0)), "far off and far below too"
    assert shown.marker.symbol == ("square", "star", "circle")
    assert shown.error_x.arrayminus == pytest.approx((30.0, 14.1, 3.0))
    assert drawn["reference network"].x == (400.0,), "a rival without a PSNR is not drawn"
    assert {"<b>dense</b>", "<b>per-layer &lt;a&gt;</b>", "group", "RFDN"} <= set(texts(figure))
    low, high = figure.layout.yaxis.range
    assert low < 26.0
    assert high > 28.45
    assert shown.hovertext[1].startswith("<b>per-layer &lt;a&gt;</b><br>28.41 dB, 141 ms (127 to 169)")
    assert figure.data[0].x == (30.0, 141.0, 300.0), "the steps pass through what nothing dominates"
    assert ("hand-designed" in methods_key(references=True), "hand-designed" in methods_key(references=False)) == (
        True,
        False,
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(100, 300), st.floats(28, 28.5)), min_size=1, max_size=4))
def test_names_of_arms_stand_by_their_markers_apart_and_inside_the_figure(spots):
    others = [point(f"method {index}", psnr, ms, "candidate") for index, (ms, psnr) in enumerate(spots)]
    figure = methods_figure(DENSE, [], others, [point("RFDN", 28.3, 200.0, "reference")])
    (left, right), (low, high) = figure.layout.xaxis.range, figure.layout.yaxis.range
    named = [note for note in figure.layout.annotations if note.xref != "paper"]
    assert len(named) == 2 + len(spots), "a few always find room"
    height, boxes = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b, []
    for note in named:
        across, up = (note.ax, -note.ay) if note.showarrow else (note.xshift, note.yshift)
        assert abs(across) + abs(up) > 15, "beside its own marker"
        x = (note.x - left) / (right - left) * INSIDE_WIDTH + across
        y = (note.y - low) / (high - low) * height + up
        boxes.append(Box.around(x, y, CHARACTER * len(shown(note.text)), LINE))
    assert all(box.within(INSIDE_WIDTH, height) for box in boxes)
    assert not any(one.meets(other) for index, one in enumerate(boxes) for other in boxes[:index])


def test_kept_channels_are_shares_with_what_is_gone_marked():
    columns = [("per-layer", "inputs"), ("per-layer", "outputs"), ("group", "inputs"), ("group", "outputs")]
    cells = [[(3, 3), (23, 46), (3, 3), (46, 46)], [(0, 46), (0, 46), None, None]]
    kept, gone = kept_figure(["head", "body.0"], columns, cells).data
    assert [list(row) for row in kept.z] == [[1, 0.5, 1, 1], [None] * 4]
    assert kept.text[0][1] == "23/46"
    assert [list(row) for row in gone.z] == [[None] * 4, [1, 1, None, None]]
    assert list(gone.text[1]) == ["gone", "gone", "", ""]
    assert [list(level) for level in kept.x] == [["per-layer"] * 2 + ["group"] * 2, ["inputs", "outputs"] * 2]


def test_layers_stay_readable_however_many_there_are():
    def layers(count):
        return [f"body.{index}" for index in range(count)]

    few, many = (kept_figure(layers(count), [("per-layer", "inputs")], [[(1, 2)]] * count) for count in (3, 91))
    assert many.layout.height - few.layout.height == 18 * 88
    assert list(many.layout.yaxis.ticktext) == layers(91), "every name is there"
    assert many.layout.yaxis.autorange == "reversed", "the first on top"
    assert before_after_figure(layers(91), {"per-layer": [(1.0, 1.0)] * 91}).layout.height == many.layout.height


def test_layers_before_and_after_stand_over_each_other():
    figure = before_after_figure(["head", "body", "tail"], {"per-layer": [(2.0, 1.5), (4.0, 0.0), (None, None)]})
    before, after = figure.data
    assert (before.x, after.x) == ((2.0, 4.0, None), (1.5, 0.0, None))
    assert after.text == ("", "gone", "")
    assert figure.layout.barmode == "overlay"
    assert texts(figure) == ["<b>per-layer</b>: 6.00 to 1.50 ms"]
    two = before_after_figure(["head"], {"per-layer": [(2.0, 1.0)], "group": [(2.0, None)]})
    assert len(two.data) == 4
    assert texts(two) == ["<b>per-layer</b>: 2.00 to 1.00 ms", "<b>group</b>"]


def test_figures_of_no_layers_are_errors():
    with pytest.raises(InputError, match="layers and columns, got 0 and 1"):
        kept_figure([], [("per-layer", "inputs")], [])
    with pytest.raises(InputError, match="layers and panels, got 1 and 0"):
        before_after_figure(["head"], {})
