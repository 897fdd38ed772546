"""The figure of a league: every kind has its marker, every network its name, and both spreads are drawn."""

import pytest

from sr.errors import InputError
from sr.report.league_figure import league_figure, league_key
from sr.report.page import Point


def point(label, psnr, ms, spread=0.0):
    return Point(label, psnr, ms, 0.9 * ms, 1.2 * ms, 10**6, 10**8, 10**4, "candidate", psnr_spread=spread)


POINTS = [
    ("hand-designed", point("ecbsr", 25.5, 35.0, 0.05)),
    ("hand-designed", point("rfdn", 26.5, 900.0)),
    ("searched", point("searched <a>", 25.7, 36.0, 0.02)),
    ("pruned", point("pruned p", 25.4, 30.0)),
]


def test_kinds_names_spreads_and_the_budget_are_drawn():
    figure = league_figure(POINTS, 40.0)
    drawn = {trace.name: trace for trace in figure.data if trace.name}
    assert drawn["chosen"].error_y.array == (0.02,)
    assert drawn["reference network"].error_y.array == (0.05,)
    assert drawn["front"].error_y.array is None
    assert "(searched)" in drawn["chosen"].hovertext[0]
    assert "25.70 dB (+- 0.02)" in drawn["chosen"].hovertext[0]
    texts = [annotation.text for annotation in figure.layout.annotations]
    assert {"ecbsr", "<b>searched &lt;a&gt;</b>", "pruned p", "budget 40 ms"} <= set(texts)
    assert any("rfdn: 26.50 dB at 900 ms" in text for text in texts)
    assert [trace.visible for trace in figure.data if trace.mode == "lines"] == [False]


def test_key_names_those_that_are_there():
    assert "pruned" not in league_key(["searched", "hand-designed"])
    assert "hand-designed" in league_key(["searched", "hand-designed"])


def test_nothing_to_draw_is_refused():
    with pytest.raises(InputError, match="at least one network"):
        league_figure([], 40.0)
