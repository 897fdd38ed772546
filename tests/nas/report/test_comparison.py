"""Searches side by side: conditions are never mixed silently."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from nas.report.comparison import comparison_lines, comparison_page
from nas.report.run import Run
from sr.errors import InputError


@pytest.fixture
def other(run: Run) -> Run:
    assert run.ending is not None
    place = replace(run.conditions, engine="onnxruntime")
    measurement = replace(run.ending.measurement, conditions=place)
    ending = replace(run.ending, measurement=measurement, engines={"onnxruntime": measurement.runtime})
    settings = {**run.settings, "conditions": vars(place) | {"lr_size": list(place.lr_size)}}
    return replace(run, folder=Path("runs/other"), settings=settings, ending=ending)


def test_engines_look_different_and_their_difference_is_named(run: Run, other: Run) -> None:
    page = comparison_page([run, other])
    (text,) = re.findall(r'data-dataset="group 0">(.*?)</script>', page)
    kinds = json.loads(text)["kinds"]
    assert [kind.split(", ")[2] for kind in kinds] == ["torch", "onnxruntime"]
    assert len({look["color"] for look in kinds.values()}) == 2
    assert "They differ in engine" in page


def test_other_pictures_stand_on_a_plot_of_their_own(run: Run, other: Run) -> None:
    apart = replace(
        other,
        settings={
            **other.settings,
            "pictures": {**other.settings["pictures"], "val": {"count": 1, "fingerprint": "c"}},
        },
    )
    page = comparison_page([run, apart])
    assert page.count('<figure class="chart">') == 2
    assert "their figures do not compare" in page
    assert "their figures do not compare" not in comparison_page([run, other])


def test_a_search_that_goes_on_is_named(run: Run, other: Run) -> None:
    with pytest.raises(InputError, match="holds no finished search"):
        comparison_lines([run, replace(other, ending=None)])


def test_a_search_that_does_not_say_its_pictures_is_named(run: Run, other: Run) -> None:
    silent = replace(other, settings={name: value for name, value in other.settings.items() if name != "pictures"})
    with pytest.raises(InputError, match=r"runs/other does not say of which pictures its figures are; leave it out"):
        comparison_page([run, silent])


def test_budget_is_drawn_where_all_had_the_same(run: Run, other: Run) -> None:
    assert '"budget":100.0' in comparison_page([run, other])
    assert '"budget":null' in comparison_page([run, replace(other, settings={**other.settings, "budget_ms": 50.0})])
