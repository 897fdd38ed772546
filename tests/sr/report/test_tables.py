"""Figures that are tables."""

from sr.report.tables import facts_list, kept_table, meter_table, share_table


def test_a_bar_is_as_long_as_its_figure_and_an_unknown_one_has_none() -> None:
    text = meter_table(("a", "b", "", "c"), [("x <y>", 0.5, ""), ("z", None, "w"), ("less", -0.25, "")])
    assert "x &lt;y&gt;" in text
    assert "width:50.0%" in text
    assert "<td>-</td>" in text
    assert "<td>-0.25</td>" in text
    assert text.count("width:0.0%") == 2


def test_shares_and_kept_channels_are_written_into_their_cells() -> None:
    assert "<td></td>" in share_table("kind", ["1", "2"], {"idle": [0.0, 0.25]})
    text = kept_table(["head", "<b>"], [("ours", "inputs")], [[(3, 4)], [(0, 4)]])
    assert ">3/4<" in text
    assert ">gone<" in text
    assert "&lt;b&gt;" in text


def test_facts_are_escaped() -> None:
    assert "<b>&lt;1</b>" in facts_list([("<1", "ms")])
