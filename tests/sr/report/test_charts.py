"""What the scripts of a page are given."""

import json
import re

import pytest

from sr.report.charts import PSNR, RUNTIME, SEARCHED, chart, dataset, point_values
from sr.report.frame import script, style
from sr.report.page import LEGEND, Point, document

POINT = Point("a </script><b>", 25.123456, 20.1234567, 18.0, 23.0, 112_000_000, 27_100_000_000, 433_000, "front", "x")


def test_texts_end_no_script_and_come_back_as_they_were() -> None:
    written = dataset("name", [point_values(POINT, command=None, convs=3)], SEARCHED)
    assert written.count("</script>") == 1
    (text,) = re.findall(r">(.*?)</script>", written)
    (point,) = json.loads(text)["points"]
    assert point["id"] == POINT.label
    assert (point["psnr"], point["ms"], point["convs"], point["lines"]) == (25.1235, 20.123, 3, ["x"])
    assert "command" not in point


def test_a_figure_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dataset("name", [{"ms": float("nan")}], SEARCHED)


def test_every_kind_of_a_search_has_a_look() -> None:
    assert set(SEARCHED) == set(LEGEND)


def test_a_chart_names_its_data_and_axes() -> None:
    (text,) = re.findall(r">(\{.*?)</script>", chart("t <a>", "name", RUNTIME, PSNR, budget_ms=40.0))
    spec = json.loads(text)
    assert (spec["data"], spec["budget"], spec["x"]["key"], spec["y"]["log"]) == ("name", 40.0, "ms", False)


def test_a_page_brings_its_scripts_only_where_it_draws() -> None:
    assert script() in document("t", [], "", draws=True)
    assert "<script" not in document("t", [], "")
    assert style() in document("t", [], "")
