"""Both tables: counted, measured and correlated."""

import json

from baselines.challenge_table.rows import table_rows
from baselines.challenge_table.tables import make_tables
from baselines.config import TableConfig
from sr.measure.latency import Protocol
from sr.progress import Message

SHORT = Protocol(seconds=0.01, minimum_runs=3, idle_seconds=0)


def test_counts_alone_are_a_list_of_rows(tmp_path):
    tables = make_tables(TableConfig(systems=("RFDN", "fssr"), counts_only=True, out=tmp_path))
    assert tables.to_json() == [row.to_json() for row in table_rows(["RFDN", "fssr"])]
    assert (tables.record, tables.correlations) == (None, ())
    assert list(tmp_path.iterdir()) == []


def test_what_was_measured_is_not_measured_again(tmp_path):
    (tmp_path / "sizes.csv").write_text("width,height\n24,16\n")
    config = TableConfig(
        systems=("fssr", "disp"),
        device="cpu",
        lr_size=(16, 24),
        challenge=True,
        frames=tmp_path / "sizes.csv",
        out=tmp_path,
    )
    messages = []
    first = make_tables(
        config, protocol=SHORT, report=lambda event: messages.append(event.text) if isinstance(event, Message) else None
    )
    assert "the challenge's protocol over 1 frames takes about 0 s" in messages
    kept = config.record.read_text()
    assert make_tables(config, protocol=SHORT) == first
    assert config.record.read_text() == kept
    content = json.loads(json.dumps(first.to_json()))
    assert content["frames"] == ["24x16"]
    assert content["rows"][0]["measured"] is None
    assert len(content["rows"][1]["measured"]["passes_ms"]) == 3
    assert len(content["correlations"]) == 7
