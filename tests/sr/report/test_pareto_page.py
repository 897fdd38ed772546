"""The page of a search is complete in itself."""

import re

import pytest

from sr.errors import InputError
from sr.report.page import Kind, Point
from sr.report.pareto_page import key, pareto_page


def point(label: str, psnr: float | None, ms: float, kind: Kind, detail: str = "4 x conv") -> Point:
    return Point(label, psnr, ms, 0.9 * ms, 1.2 * ms, round(1e6 * ms), round(2e8 * ms), round(1e4 * ms), kind, detail)


POINTS = [
    point("fast", 25.0, 10.0, "front"),
    point("odd", 24.9, 15.0, "candidate"),
    point("best", 25.4, 20.0, "chosen", detail="a <b> & c"),
    point("slow", None, 50.0, "infeasible"),
    point("RFDN", 25.2, 25.0, "reference"),
    point("MSRResNet", 26.0, 900.0, "reference"),
    point("bicubic", 24.0, 0.5, "reference"),
]


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


@pytest.mark.parametrize(
    ("points", "words"),
    [
        # All of the seven in the same order by both.
        (POINTS, "All 7 networks measured; rank correlation of runtime and activations 1.00."),
        (POINTS[:1], "All 1 networks measured; too few to correlate."),
    ],
)
def test_page_says_how_well_activations_predict_runtime(tmp_path, points, words):
    pareto_page(tmp_path / "page.html", title="t", points=points, budget_ms=None, closing=[])
    assert words in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_page_table_may_be_given(tmp_path):
    path = tmp_path / "page.html"
    pareto_page(path, title="t", points=POINTS, budget_ms=None, closing=[], table=POINTS[1:2])
    assert re.findall(r'<tr class="(\w+)">', path.read_text(encoding="utf-8")) == ["candidate"]


def test_the_key_tells_of_what_is_drawn_alone() -> None:
    words = re.findall(r"</b> ([^<]+)</span>", key(POINTS))
    assert words == ["chosen", "front", "reference network", "candidate"], "what was never trained has no PSNR"


def test_a_page_of_nothing_trained_is_an_error(tmp_path) -> None:
    with pytest.raises(InputError, match="at least one network"):
        pareto_page(tmp_path / "page.html", title="t", points=POINTS[3:4], budget_ms=40.0, closing=[])
    assert not (tmp_path / "page.html").exists()
