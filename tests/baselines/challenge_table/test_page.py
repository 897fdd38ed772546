"""The page with both tables and their figures."""

from dataclasses import replace

from baselines.challenge_table.between_engines import between_engines
from baselines.challenge_table.correlation import correlations
from baselines.challenge_table.page import write_page
from baselines.challenge_table.tables import Tables


def tables_of(rows, records):
    found = {engine: tuple(correlations(rows, record.rows)) for engine, record in records.items()}
    return Tables(tuple(rows), records, found, tuple(between_engines(records)))


def test_the_page_holds_every_row_and_both_tables(rows, record):
    path = record.path.with_name("table.html")
    write_page(path, tables_of(rows, {"torch": record}))
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
    write_page(path, tables_of(rows, {"torch": empty}))
    assert "Plotly.newPlot" not in path.read_text(encoding="utf-8")


def test_several_engines_are_set_beside_each_other(rows, record):
    path = record.path.with_name("engines.html")
    write_page(path, tables_of(rows, {"onnxruntime": record, "torch": replace(record, rows={})}))
    page = path.read_text(encoding="utf-8")
    assert "torch / onnxruntime" in page
    assert "Table 2, measured in onnxruntime" in page
    assert "LMSR in onnxruntime: does not fit" in page
    # Drawn by the one that has runtimes, which brings plotly.js along.
    assert page.count("Plotly.newPlot(") == 2
