"""The page is complete in itself and draws every network where it lies."""

import dataclasses
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sr.errors import InputError
from sr.figures import (
    Point,
    activations_figure,
    arms_figure,
    arms_key,
    before_after_figure,
    kept_figure,
    overlap,
    pareto_figure,
    pareto_page,
    runtime_figure,
    write_png,
)
from sr.page import digits, rank_correlation


def point(label, psnr, ms, kind, **changes):
    made = Point(
        label, psnr, ms, 0.9 * ms, 1.2 * ms, round(1e6 * ms), round(2e8 * ms), round(1e4 * ms), kind, "4 x conv"
    )
    return dataclasses.replace(made, **changes)


POINTS = [
    point("fast", 25.0, 10.0, "front"),
    point("odd", 24.9, 15.0, "candidate"),
    point("best", 25.4, 20.0, "chosen", detail="a <b> & c"),
    point("slow", None, 50.0, "infeasible"),
    point("RFDN", 25.2, 25.0, "reference"),
    point("MSRResNet", 26.0, 900.0, "reference"),
    point("bicubic", 24.0, 0.5, "reference", activations=0, multi_adds=0, params=0),
]


def traces(figure):
    return {trace.name: trace for trace in figure.data if trace.name}


def texts(figure):
    return [annotation.text for annotation in figure.layout.annotations]


def test_pareto_figure_draws_spread_front_and_budget():
    figure = pareto_figure(POINTS, 22.0)
    drawn = traces(figure)
    assert set(drawn) == {"front", "candidate", "chosen", "reference network"}, "untrained networks have no PSNR"
    assert (drawn["chosen"].x, drawn["chosen"].y) == ((20.0,), (25.4,))
    bars = drawn["chosen"].error_x
    assert (bars.array, bars.arrayminus) == (pytest.approx((4.0,)), pytest.approx((2.0,)))
    steps = figure.data[0]
    assert (steps.line.shape, steps.x, steps.y) == ("hv", (10.0, 20.0), (25.0, 25.4))
    assert [shape.x0 for shape in figure.layout.shapes] == [22.0, 22.0]
    assert "budget 22 ms" in texts(figure)


def test_far_references_are_named_at_the_edge_and_leave_the_axis_to_the_others():
    figure = pareto_figure(POINTS, 22.0)
    low, high = figure.layout.xaxis.range
    assert 5 < 10**low < 10
    assert 25 < 10**high < 40
    assert list(traces(figure)["reference network"].x) == [25.0]
    assert "MSRResNet: 26.00 dB at 900 ms →" in texts(figure)
    assert "← bicubic: 24.00 dB at 0.500 ms" in texts(figure)


def test_the_budget_is_always_in_sight():
    for budget in (2.0, 300.0):
        low, high = pareto_figure(POINTS, budget).layout.xaxis.range
        assert low < math.log10(budget) < high


def test_runtime_figure_holds_everything_that_has_activations():
    figure = runtime_figure(POINTS)
    drawn = traces(figure)
    assert drawn["over the budget"].y == (50.0,)
    assert drawn["reference network"].y == (25.0, 900.0)
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert 10 ** figure.layout.xaxis.range[1] > 900
    assert activations_figure(POINTS).layout.xaxis.title.text == "activations (M)"


def test_a_figure_of_nothing_is_an_error():
    with pytest.raises(InputError, match="at least one network"):
        pareto_figure([], 40.0)
    with pytest.raises(InputError, match="at least one network"):
        pareto_figure([point("slow", None, 50.0, "infeasible")], 40.0)


def test_a_single_reference_is_a_figure():
    assert list(traces(pareto_figure([POINTS[4]], None))["reference network"].x) == [25.0]


def test_page_is_self_contained_and_escapes_what_it_shows(tmp_path):
    path = tmp_path / "new" / "page.html"
    pareto_page(path, title="x4 <under> 22 ms", points=POINTS, budget_ms=22.0, closing=["Chosen: best & done."])
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", text)
    assert tags
    assert not [tag for tag in tags if re.search(r"\b(src|href)=", tag)], "nothing is fetched"
    assert text.count('class="plotly-graph-div"') == 3
    assert "<h1>x4 &lt;under&gt; 22 ms</h1>" in text
    assert "Chosen: best &amp; done." in text
    assert "a &lt;b&gt; &amp; c" in text
    rows = re.findall(r'<tr class="(\w+)"><td>(.*?)</td>', text)
    assert [name[2:] for _, name in rows] == ["bicubic", "fast", "best", "RFDN", "MSRResNet"], "fastest first"
    assert ("chosen", "★ best") in rows


def test_page_table_may_be_given(tmp_path):
    path = tmp_path / "page.html"
    pareto_page(path, title="t", points=POINTS, budget_ms=None, closing=[], table=POINTS[1:2])
    assert re.findall(r'<tr class="(\w+)">', path.read_text(encoding="utf-8")) == ["candidate"]


def test_what_lies_far_below_the_front_is_told_of_not_drawn_to() -> None:
    front = [
        Point(f"#{number}", 25 + number / 10, 10.0 + number, 9, 40, 10**6, 10**9, 10**4, "front") for number in range(5)
    ]
    failed = Point("#9", 21.0, 12.0, 11, 13, 10**6, 10**9, 10**4, "candidate")
    low, high = pareto_figure([*front, failed], 40.0).layout.yaxis.range
    assert 24 < low < 25
    assert 25.4 < high < 26
    notes = [annotation.text for annotation in pareto_figure([*front, failed], 40.0).layout.annotations]
    assert any("1 more below" in note for note in notes)
    assert not any("below" in annotation.text for annotation in pareto_figure(front, 40.0).layout.annotations)


def test_png_has_the_size_asked_for(tmp_path):
    pytest.importorskip("kaleido")
    path = tmp_path / "front.png"
    if not write_png(pareto_figure(POINTS, 22.0), path, 640, 400):
        pytest.skip("no Chrome here")
    with Image.open(path) as image:
        assert image.size == (640, 400)
        assert len(image.convert("RGB").getcolors(640 * 400)) > 10


def test_without_a_browser_there_is_no_png_and_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-such-browser"))
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "front.png"
    assert write_png(pareto_figure(POINTS, 22.0), path) is False
    assert not path.exists()


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.0123, "0.0123"), (3.4, "3.40"), (27.52, "27.5"), (902.4, "902"), (1320, "1,320")]
)
def test_digits(value, text):
    assert digits(value) == text


@given(st.floats(1e-6, 1e12))
def test_digits_are_within_half_a_percent(value):
    assert float(digits(value).replace(",", "")) == pytest.approx(value, rel=5.1e-3)


def test_rank_correlation_by_hand():
    assert rank_correlation([1, 2, 3], [10, 200, 3000]).endswith(" 1.00")
    assert rank_correlation([1, 2, 3], [3, 2, 1]).endswith(" -1.00")
    # Ranks 1 2 3 4 against 2 1 4 3: 1 - 6 * 4 / (4 * 15) = 0.6.
    assert rank_correlation([1, 2, 3, 4], [5, 4, 8, 7]).endswith(" 0.60")
    # Ties share a rank: 1.5 1.5 3 against 1 2 3 gives 1.5 / sqrt(1.5 * 2) = 0.866.
    assert rank_correlation([1, 1, 3], [1, 2, 3]).endswith(" 0.87")
    assert rank_correlation([1, 1], [1, 2]) == "too few to correlate"


DENSE, OURS, OTHER = (
    point("dense", 28.45, 300.0, "reference"),
    point("fine <a>", 28.41, 141.0, "candidate"),
    point("group", 26.0, 30.0, "candidate"),
)


def test_arms_are_all_drawn_each_with_its_look_and_name():
    figure = arms_figure(DENSE, [OURS], [OTHER], [point("RFDN", 28.3, 400.0, "reference"), POINTS[3]])
    drawn = traces(figure)
    arms = drawn["front"]
    assert (arms.x, arms.y) == ((300.0, 141.0, 30.0), (28.45, 28.41, 26.0)), "far off and far below too"
    assert arms.marker.symbol == ("square", "star", "circle")
    assert arms.error_x.arrayminus == pytest.approx((30.0, 14.1, 3.0))
    assert drawn["reference network"].x == (400.0,), "a rival without a PSNR has no place"
    assert {"<b>dense</b>", "<b>fine &lt;a&gt;</b>", "group", "RFDN"} <= set(texts(figure))
    low, high = figure.layout.yaxis.range
    assert low < 26.0
    assert high > 28.45
    assert arms.hovertext[1].startswith("<b>fine &lt;a&gt;</b><br>28.41 dB, 141 ms (127 to 169)")
    assert figure.data[0].x == (30.0, 141.0, 300.0), "the steps pass through what nothing dominates"
    assert ("hand-designed" in arms_key(references=True), "hand-designed" in arms_key(references=False)) == (
        True,
        False,
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(100, 300), st.floats(28, 28.5)), min_size=1, max_size=4))
def test_names_of_arms_stand_beside_their_markers_and_inside_the_figure(places):
    others = [point(f"arm {index}", psnr, ms, "candidate") for index, (ms, psnr) in enumerate(places)]
    figure = arms_figure(DENSE, [], others)
    (left, right), (low, high) = figure.layout.xaxis.range, figure.layout.yaxis.range
    named = [note for note in figure.layout.annotations if note.xref != "paper"]
    assert len(named) == 1 + len(places)
    for note in named:
        across = (note.x - left) / (right - left) * 980 + note.xshift
        up = (note.y - low) / (high - low) * 382 + note.yshift
        assert 0 < across < 980
        assert 0 < up < 382
        assert abs(note.xshift) + abs(note.yshift) > 15, "beside its own marker"


def test_overlap_by_hand():
    assert overlap((0, 0, 4, 4), (2, 1, 6, 3)) == 4
    assert overlap((0, 0, 4, 4), (4, 0, 6, 4)) == 0
    assert overlap((0, 0, 4, 4), (5, 5, 6, 6)) == 0


def test_kept_channels_are_shares_with_what_is_gone_marked():
    columns = [("fine", "inputs"), ("fine", "outputs"), ("group", "inputs"), ("group", "outputs")]
    cells = [[(3, 3), (23, 46), (3, 3), (46, 46)], [(0, 46), (0, 46), None, None]]
    kept, gone = kept_figure(["head", "body.0"], columns, cells).data
    assert [list(row) for row in kept.z] == [[1, 0.5, 1, 1], [None] * 4]
    assert kept.text[0][1] == "23/46"
    assert [list(row) for row in gone.z] == [[None] * 4, [1, 1, None, None]]
    assert list(gone.text[1]) == ["gone", "gone", "", ""]
    assert [list(level) for level in kept.x] == [["fine"] * 2 + ["group"] * 2, ["inputs", "outputs"] * 2]


def test_layers_stay_readable_however_many_there_are():
    def layers(count):
        return [f"body.{index}" for index in range(count)]

    few, many = (kept_figure(layers(count), [("fine", "inputs")], [[(1, 2)]] * count) for count in (3, 91))
    assert many.layout.height - few.layout.height == 18 * 88
    assert list(many.layout.yaxis.ticktext) == layers(91), "every name is there"
    assert many.layout.yaxis.autorange == "reversed", "the first on top"
    assert before_after_figure(layers(91), {"fine": [(1.0, 1.0)] * 91}).layout.height == many.layout.height


def test_layers_before_and_after_stand_over_each_other():
    figure = before_after_figure(["head", "body", "tail"], {"fine": [(2.0, 1.5), (4.0, 0.0), (None, None)]})
    before, after = figure.data
    assert (before.x, after.x) == ((2.0, 4.0, None), (1.5, 0.0, None))
    assert after.text == ("", "gone", "")
    assert figure.layout.barmode == "overlay"
    assert texts(figure) == ["<b>fine</b>: 6.00 to 1.50 ms"]
    two = before_after_figure(["head"], {"fine": [(2.0, 1.0)], "group": [(2.0, None)]})
    assert len(two.data) == 4
    assert texts(two) == ["<b>fine</b>: 2.00 to 1.00 ms", "<b>group</b>"]


def test_figures_of_no_layers_are_errors():
    with pytest.raises(InputError, match="layers and columns, got 0 and 1"):
        kept_figure([], [("fine", "inputs")], [])
    with pytest.raises(InputError, match="layers and panels, got 1 and 0"):
        before_after_figure(["head"], {})
