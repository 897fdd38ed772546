"""Every network is drawn where it lies."""

import dataclasses
import math
from pathlib import Path

import pytest
from PIL import Image

from sr.errors import InputError
from sr.report.figures import pareto_figure, runtime_figure, write_png
from sr.report.page import Point


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


def test_a_figure_of_nothing_is_an_error():
    with pytest.raises(InputError, match="at least one network"):
        pareto_figure([], 40.0)
    with pytest.raises(InputError, match="at least one network"):
        pareto_figure([point("slow", None, 50.0, "infeasible")], 40.0)


def test_a_single_reference_is_a_figure():
    assert list(traces(pareto_figure([POINTS[4]], None))["reference network"].x) == [25.0]


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


@pytest.mark.skipif(not Path("/bin/false").exists(), reason="takes a program that ends at once")
def test_a_browser_that_does_not_start_leaves_no_png(tmp_path, monkeypatch):
    pytest.importorskip("kaleido")
    monkeypatch.setenv("BROWSER_PATH", "/bin/false")
    assert write_png(pareto_figure(POINTS, 22.0), tmp_path / "plot.png") is False
    assert not list(tmp_path.iterdir())
