"""The page with both tables and their figures."""

from dataclasses import replace

from baselines.challenge_table.correlation import correlations
from baselines.challenge_table.page import write_page


def test_the_page_holds_every_row_and_both_tables(rows, record):
    path = record.path.with_name("table.html")
    found = correlations(rows, record.rows)
    write_page(path, rows, record, found)
    page = path.read_text(encoding="utf-8")
    assert all(row.system in page for row in rows)
    assert "0.8737" in page
    assert "Plotly.newPlot" in page
    assert "a device" in page
    # RFDN alone has both a published PSNR and a runtime: it is drawn in both figures, SPAN in the first.
    assert page.count("Plotly.newPlot(") == 2


def test_a_page_without_any_runtime_has_no_figure(rows, record):
    empty = replace(record, rows={})
    path = record.path.with_name("empty.html")
    write_page(path, rows, empty, correlations(rows, {}))
    assert "Plotly.newPlot" not in path.read_text(encoding="utf-8")
